"""The report wing: from timelines and verdicts to a page, a drawing in the terminal, and tables.

It knows the spine only and is handed values. jinja2, matplotlib and pandas live here and are imported where they are used.
"""
