#!/usr/bin/env python3
"""Django's command line for the site."""

import os
import sys


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as refusal:
        # Print the list of mistakes instead of a traceback.
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
