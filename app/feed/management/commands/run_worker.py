"""The worker: makes the small pictures that lists of posts show. Any number of workers may run."""

import io
import logging
import signal
import threading

from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections, connection, transaction
from PIL import Image

from feed.models import Post

EDGE = 640  # pixels; twice as wide as a phone shows it

log = logging.getLogger("feed.worker")


def shrink_next():
    """Shrinks the picture of one post that no other worker has in hand; whether there was one.

    The table is the queue: the row stays locked until its small picture is stored, other workers skip it, and a worker
    that dies gives it back by ending its connection. A post deleted meanwhile waits for the lock.
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
            # The picture itself stands in: a file that is gone or broken must not hold up those behind it.
            log.warning("picture of post %d cannot be shrunk: %s", post.pk, error)
            post.small = post.picture.name
        else:
            post.small.save("small.webp", ContentFile(out.getvalue()), save=False)
        post.save(update_fields=["small"])
        log.info("small picture of post %d", post.pk)
        return True


class Command(BaseCommand):
    help = "Makes small pictures until it is told to stop (SIGTERM); one that is begun is finished."

    def add_arguments(self, parser):
        parser.add_argument("--idle", type=float, default=2, help="seconds between looks at an empty queue (2)")

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
                # The database may be restarting; ECS would replace a worker that ends for it, with the same outcome.
                log.warning("the database does not answer: %s", error)
                connection.close()
                more = False
            if not more:
                stop.wait(idle)
        log.info("worker stopped")
