#!/usr/bin/env python3
"""Django's command line for the site. `manage.py doctor` works even if the settings fail to load."""

import os
import sys


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "website.settings")
    if sys.argv[1:2] == ["doctor"]:
        from website import doctor

        sys.exit(doctor.main(sys.argv[2:]))
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as refusal:
        # Print the list of mistakes instead of a traceback; it goes to the task's log.
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
