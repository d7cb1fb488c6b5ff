"""JSON Schemas of every request and answer, for the OpenAPI document.

May live here: one module for each room of endpoints, ``components`` that joins them, ``parts`` that
all are made of. Only data.
"""
