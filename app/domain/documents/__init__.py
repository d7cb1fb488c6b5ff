"""What files of a repository look like, whatever they are about.

May live here: values and documents as people write them, each read or refused with the line it
stands on.
"""
