"""What every page stands in: visits and their answers, forms, cookies, the menu, templates.

May live here: what knows of no page.
"""
