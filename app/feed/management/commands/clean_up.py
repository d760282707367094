"""The nightly job that deletes unused data."""

import datetime

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from feed.models import Post

# A picture is stored shortly before its post. No upload takes a day.
GRACE = datetime.timedelta(days=1)


class Command(BaseCommand):
    help = "Deletes expired sessions and pictures that no post uses. Can be repeated at any time."

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="only list the pictures that would be deleted")

    def handle(self, *, dry_run, **options):
        if not dry_run:
            call_command("clearsessions")
            self.stdout.write("expired sessions deleted")
        if not settings.PICTURES:
            return
        try:
            names = [f"pictures/{name}" for name in default_storage.listdir("pictures")[1]]
        except FileNotFoundError:
            names = []
        gone = 0
        for start in range(0, len(names), 500):
            some = names[start : start + 500]
            shown = set(Post.objects.filter(picture__in=some).values_list("picture", flat=True))
            shown |= set(Post.objects.filter(small__in=some).values_list("small", flat=True))
            for name in some:
                if name in shown or default_storage.get_modified_time(name) > timezone.now() - GRACE:
                    continue
                if dry_run:
                    self.stdout.write(name)
                else:
                    default_storage.delete(name)
                gone += 1
        self.stdout.write(f"{gone} pictures {'would be deleted' if dry_run else 'deleted'} of {len(names)}")
