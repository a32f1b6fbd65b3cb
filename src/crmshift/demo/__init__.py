"""`crmshift demo`: a CRM of its own, live traffic on both sides of it, and the real commands run against it.

`load` and `seed` fill the legacy tables, `traffic` keeps writing them, `story` tells what happens meanwhile. Nothing of
crmshift imports this package except the command line, so it costs nothing where nobody asks for it.
"""
