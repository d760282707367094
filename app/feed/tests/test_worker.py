"""The worker: thumbnails, several workers at once, graceful shutdown."""

import io
import os
import signal
import threading
from unittest import mock

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.test import TransactionTestCase
from PIL import Image

from feed.management.commands import run_worker
from feed.models import Post, User


class WorkerTest(TransactionTestCase):
    def setUp(self):
        self.ada = User.objects.create_user("ada", password="x")

    def post(self, size=(1600, 1200), content=None):
        if content is None:
            out = io.BytesIO()
            Image.new("RGB", size, "navy").save(out, "WEBP")
            content = out.getvalue()
        post = Post(author=self.ada, text="look")
        post.picture.save("picture.webp", ContentFile(content))
        return post

    def test_makes_a_small_picture_once(self):
        post = self.post()
        self.assertTrue(run_worker.shrink_next())
        self.assertFalse(run_worker.shrink_next())
        post.refresh_from_db()
        with post.small.open("rb") as file, Image.open(file) as image:
            self.assertEqual((image.format, image.size), ("WEBP", (640, 480)))
        page = self.client.get("/latest/").content.decode()
        self.assertIn(f'src="{post.small_url}"', page)
        self.assertIn(f'href="{post.picture_url}"', page)
        self.assertNotEqual(post.small_url, post.picture_url)

    def test_posts_without_a_picture_are_no_work(self):
        Post.objects.create(author=self.ada, text="words")
        self.assertFalse(run_worker.shrink_next())

    def test_until_then_the_picture_itself_is_shown(self):
        post = self.post()
        self.assertEqual(post.small_url, post.picture_url)

    def test_a_broken_picture_does_not_block_the_queue(self):
        broken, good = self.post(content=b"RIFF"), self.post()
        with self.assertLogs("feed.worker", "WARNING"):
            self.assertTrue(run_worker.shrink_next())
        self.assertTrue(run_worker.shrink_next())
        self.assertFalse(run_worker.shrink_next())
        for post in (broken, good):
            post.refresh_from_db()
        self.assertEqual(broken.small.name, broken.picture.name)
        self.assertNotEqual(good.small.name, good.picture.name)

    def test_what_another_worker_has_in_hand_is_skipped(self):
        first, second = self.post(), self.post()
        held, done = threading.Event(), threading.Event()

        def other():
            with transaction.atomic():
                Post.objects.unshrunk().select_for_update(skip_locked=True).order_by("pk").first()
                held.set()
                done.wait(10)
            connection.close()

        thread = threading.Thread(target=other)
        thread.start()
        try:
            self.assertTrue(held.wait(10))
            self.assertTrue(run_worker.shrink_next())
            self.assertFalse(run_worker.shrink_next())
        finally:
            done.set()
            thread.join()
        first.refresh_from_db()
        second.refresh_from_db()
        self.assertEqual((bool(first.small), bool(second.small)), (False, True))

    def test_a_deleted_post_takes_both_pictures_along(self):
        post = self.post()
        run_worker.shrink_next()
        post.refresh_from_db()
        self.client.force_login(self.ada)
        self.client.post(f"/post/{post.pk}/delete/")
        for name in (post.picture.name, post.small.name):
            self.assertFalse(default_storage.exists(name))

    def work(self, *steps):
        """Runs the command; each step is the result of one check of the queue. SIGTERM follows the last one."""
        steps = iter(steps)

        def step():
            try:
                does = next(steps)
            except StopIteration:
                os.kill(os.getpid(), signal.SIGTERM)
                return False
            if isinstance(does, Exception):
                raise does
            return does

        kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with mock.patch.object(run_worker, "shrink_next", side_effect=step) as looks:
                with self.assertLogs("feed.worker") as logs:
                    call_command("run_worker", idle=0.01)
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)
        return looks.call_count, logs.output

    def test_ends_when_it_is_told_to(self):
        looks, logs = self.work(True, True, False)
        self.assertEqual(looks, 4)
        self.assertIn("worker stopped", logs[-1])

    def test_outlives_a_database_that_restarts(self):
        looks, logs = self.work(OperationalError("server closed the connection"), True)
        self.assertEqual(looks, 3)
        self.assertTrue(any("server closed the connection" in line for line in logs))
