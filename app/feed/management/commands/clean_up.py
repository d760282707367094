"""The nightly job: what nobody needs any more."""

import datetime

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.utils import timezone

from feed.models import Post

# A picture is stored a moment before its post. A day is more than any upload takes.
GRACE = datetime.timedelta(days=1)


class Command(BaseCommand):
    help = "Deletes sessions that have ended and pictures that no post shows. May be run again at any time."

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="only say which pictures would go")

    def handle(self, *, dry_run, **options):
        if not dry_run:
            call_command("clearsessions")
            self.stdout.write("ended sessions deleted")
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
        self.stdout.write(f"{gone} pictures {'would go' if dry_run else 'deleted'} of {len(names)}")
