"""Pictures in a bucket with production settings: boto3 and django-storages use S3 over real HTTP."""

import http.server
import os
import threading
from unittest import mock

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.test import override_settings

from feed.models import Post
from feed.tests.test_pages import Site, picture


class Bucket(http.server.BaseHTTPRequestHandler):
    """The part of S3 that pictures need: put, get, head, delete and list in one bucket."""

    kept = {}

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT", "ETag": '"e"', **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self):
        self.kept[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if "list-type" in query or "delimiter" in query:
            keys = "".join(f"<Contents><Key>{key.removeprefix('/site-pictures/')}</Key></Contents>" for key in self.kept)
            return self.answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>".encode())
        if path not in self.kept:
            return self.answer(404)
        self.answer(200, self.kept[path])

    do_HEAD = do_GET

    def do_DELETE(self):
        self.kept.pop(self.path, None)
        self.answer(204)

    def log_message(self, *args):
        pass


STORAGES = {
    **settings.STORAGES,
    "default": {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {"bucket_name": "site-pictures", "region_name": "eu-west-1", "default_acl": None, "file_overwrite": False},
    },
}


class BucketTest(Site):
    def setUp(self):
        super().setUp()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(Bucket.kept.clear)
        environment = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_port}", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
        self.enterContext(mock.patch.dict(os.environ, environment))
        self.enterContext(override_settings(STORAGES=STORAGES))

    def test_there_and_back(self):
        self.assertRedirects(self.client.post("/", {"text": "look", "picture": picture()}), "/")
        post = Post.objects.get()
        self.assertEqual(list(Bucket.kept), [f"/site-pictures/{post.picture.name}"])
        answer = self.client.get(post.picture_url)
        self.assertEqual(b"".join(answer.streaming_content), Bucket.kept[f"/site-pictures/{post.picture.name}"])
        self.assertEqual(self.client.get(f"/media/pictures/{'0' * 32}.webp").status_code, 404)
        with self.captureOnCommitCallbacks(execute=True):
            self.client.post(f"/post/{post.pk}/delete/")
        self.assertEqual(Bucket.kept, {})

    def test_clean_up(self):
        self.client.post("/", {"text": "kept", "picture": picture()})
        Bucket.kept["/site-pictures/pictures/lost.webp"] = b"x"
        call_command("clean_up", stdout=mock.Mock())
        self.assertEqual(list(Bucket.kept), [f"/site-pictures/{Post.objects.get().picture.name}"])

    def test_a_bucket_that_fails_does_not_undo_the_deletion(self):
        self.client.post("/", {"text": "look", "picture": picture()})
        with mock.patch.object(type(default_storage._wrapped), "delete", side_effect=OSError("S3 is down")):
            with self.assertLogs("django.test", "ERROR"), self.captureOnCommitCallbacks(execute=True):
                self.client.post(f"/post/{Post.objects.get().pk}/delete/")
        self.assertEqual(Post.objects.count(), 0)
