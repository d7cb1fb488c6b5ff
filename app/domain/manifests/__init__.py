"""Hooks as others hand them in or take them away: manifests, drafts, exports, scripts of Auth0's.

May live here: translations between such a description and the desired hook; every problem is told
at once.
"""
