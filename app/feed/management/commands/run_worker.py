"""The worker: creates the thumbnails for lists of posts. Any number of workers may run."""

import io
import logging
import signal
import threading

from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections, connection, transaction
from PIL import Image

from feed.models import Post

EDGE = 640  # pixels; twice the width on a phone

log = logging.getLogger("feed.worker")


def shrink_next():
    """Creates the thumbnail of one post that no other worker has locked; returns whether there was one.

    The table is the queue: the row stays locked until its thumbnail is stored, other workers skip it, and if a worker dies
    its connection ends and releases the row. Deleting the post waits for the lock.
    """
    with transaction.atomic():
        post = Post.objects.unshrunk().select_for_update(skip_locked=True).order_by("pk").first()
        if post is None:
            return False
        try:
            with post.picture.open("rb") as file, Image.open(file, formats=["WEBP"]) as image:
                image.thumbnail((EDGE, EDGE))
                out = io.BytesIO()
                image.save(out, "WEBP", quality=80)
        except (OSError, Image.DecompressionBombError) as error:
            # Use the picture itself, so that a missing or broken file does not block the queue.
            log.warning("picture of post %d cannot be shrunk: %s", post.pk, error)
            post.small = post.picture.name
        else:
            post.small.save("small.webp", ContentFile(out.getvalue()), save=False)
        post.save(update_fields=["small"])
        log.info("small picture of post %d", post.pk)
        return True


class Command(BaseCommand):
    help = "Creates thumbnails until SIGTERM; it finishes the current one first."

    def add_arguments(self, parser):
        parser.add_argument("--idle", type=float, default=2, help="seconds between checks of an empty queue (2)")

    def handle(self, *, idle, **options):
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        log.info("worker started")
        while not stop.is_set():
            close_old_connections()
            try:
                more = shrink_next()
            except Error as error:
                # The database may be restarting. Exiting would not help: ECS would start another worker in the same situation.
                log.warning("the database does not answer: %s", error)
                connection.close()
                more = False
            if not more:
                stop.wait(idle)
        log.info("worker stopped")
