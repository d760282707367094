"""What users do on the site."""

import datetime
import io
import re
import tempfile
from unittest import mock

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client, TestCase, override_settings
from django.utils import timezone
from PIL import Image

from feed import forms, views
from feed.models import Follow, Like, Post, User

HOST = "site.example"


def picture(kind="JPEG", size=(40, 20), **options):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, **options)
    return SimpleUploadedFile(f"a.{kind.lower()}", out.getvalue())


class Site(TestCase):
    """Two users; the client sends what the load balancer sends, and Ada is logged in."""

    client_class = type("HttpsClient", (Client,), {"__init__": lambda self, **kw: Client.__init__(self, headers={"host": HOST, "x-forwarded-proto": "https"}, **kw)})

    @classmethod
    def setUpTestData(cls):
        cls.ada = User.objects.create(username="Ada")
        cls.bob = User.objects.create(username="bob", bio="builder")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.enterContext(override_settings(MEDIA_ROOT=folder.name))
        self.client.force_login(self.ada)


class AccountTest(Site):
    def test_sign_up_log_out_log_in_change_password(self):
        self.client.logout()
        answer = self.client.post("/account/sign-up/", {"username": "grace", "password1": "cobol-1959-hopper", "password2": "cobol-1959-hopper"}, follow=True)
        self.assertContains(answer, "Welcome, grace.")
        cookie = self.client.cookies["__Host-session"]
        self.assertTrue(cookie["secure"] and cookie["httponly"])
        answer = self.client.post("/account/password/", {"old_password": "cobol-1959-hopper", "new_password1": "flow-matic-1955", "new_password2": "flow-matic-1955"})
        self.assertRedirects(answer, "/account/")
        self.assertRedirects(self.client.post("/account/log-out/"), "/latest/")
        # Login ignores case.
        answer = self.client.post("/account/log-in/?next=/@bob/", {"username": "GRACE", "password": "flow-matic-1955", "next": "/@bob/"})
        self.assertRedirects(answer, "/@bob/")
        self.client.post("/account/log-out/")
        self.assertContains(self.client.post("/account/log-in/", {"username": "unknown", "password": "x"}), "Please enter a correct")

    def test_refused_names_and_passwords(self):
        self.client.logout()
        for name, password, words in [
            ("ADA", "cobol-1959-hopper", "This name is taken"),
            ("a b", "cobol-1959-hopper", "3 to 30 letters"),
            ("me\n", "cobol-1959-hopper", "3 to 30 letters"),
            ("grace", "12345678", "too common"),
        ]:
            with self.subTest(name):
                self.assertContains(self.client.post("/account/sign-up/", {"username": name, "password1": password, "password2": password}), words)

    def test_name_taken_at_the_same_moment(self):
        self.client.logout()
        with mock.patch.object(forms.SignUpForm, "clean_username", lambda self: self.cleaned_data["username"]), mock.patch.object(forms.SignUpForm, "_post_clean", lambda self: setattr(self.instance, "username", "ADA")):
            answer = self.client.post("/account/sign-up/", {"username": "ADA", "password1": "cobol-1959-hopper", "password2": "cobol-1959-hopper"})
        self.assertContains(answer, "This name is taken.")

    def test_logged_in_people_do_not_sign_up(self):
        self.assertRedirects(self.client.get("/account/sign-up/"), "/")

    def test_profile_text(self):
        self.assertContains(self.client.get("/account/"), "Change password")
        self.assertRedirects(self.client.post("/account/", {"bio": "first"}), "/@Ada/")
        self.assertContains(self.client.get("/@ada/"), "first")

    def test_log_out_by_a_link_is_refused(self):
        self.assertEqual(self.client.get("/account/log-out/").status_code, 405)

    def test_strangers_are_sent_to_log_in(self):
        self.client.logout()
        self.assertRedirects(self.client.get("/"), "/latest/")
        for address in ("/account/", "/account/password/"):
            self.assertRedirects(self.client.get(address), f"/account/log-in/?next={address}")
        for address in ("/post/1/like/", "/post/1/delete/", "/@bob/follow/"):
            self.assertEqual(self.client.post(address).status_code, 302)
        self.assertContains(self.client.get("/latest/"), "Sign up")

    def test_forged_forms_are_refused(self):
        careful = Client(enforce_csrf_checks=True, headers={"host": HOST, "x-forwarded-proto": "https"})
        careful.force_login(self.ada)
        with self.assertLogs("django.security.csrf"):
            self.assertContains(careful.post("/", {"text": "x"}), "That took too long", status_code=403)


class PostTest(Site):
    def test_post_and_see_it_escaped(self):
        self.assertRedirects(self.client.post("/", {"text": "<script>hi</script> https://example.org"}), "/")
        answer = self.client.get("/")
        self.assertContains(answer, "&lt;script&gt;hi&lt;/script&gt;")
        self.assertContains(answer, 'href="https://example.org"')

    def test_limits(self):
        self.assertContains(self.client.post("/", {"text": ""}), "required", status_code=422)
        self.assertContains(self.client.post("/", {"text": "x" * 281}), "at most 280", status_code=422)
        self.client.post("/", {"text": "x" * 280})
        self.assertEqual(Post.objects.count(), 1)

    def test_picture_is_drawn_anew(self):
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "Secret camera"
        self.client.post("/", {"text": "look", "picture": picture(size=(4000, 2000), exif=exif)})
        post = Post.objects.get()
        self.assertRegex(post.picture.name, r"^pictures/[0-9a-f]{32}\.webp$")
        answer = self.client.get(post.picture_url)
        self.assertEqual((answer["Content-Type"], answer["Cache-Control"]), ("image/webp", "public, max-age=31536000, immutable"))
        self.assertEqual(answer["Content-Security-Policy"], "default-src 'none'; sandbox")
        self.assertNotIn("Set-Cookie", answer)
        content = b"".join(answer.streaming_content)
        self.assertNotIn(b"Secret camera", content)
        with Image.open(io.BytesIO(content)) as image:
            # Rotated according to EXIF and scaled down.
            self.assertEqual((image.size, dict(image.getexif())), ((800, 1600), {}))
        self.assertContains(self.client.get("/"), post.picture_url)

    def test_each_format(self):
        for kind in ("PNG", "GIF", "WEBP"):
            with self.subTest(kind):
                self.assertEqual(self.client.post("/", {"text": kind, "picture": picture(kind)}).status_code, 302)

    def test_not_a_picture(self):
        for upload, words in [
            (SimpleUploadedFile("a.jpg", b"MZ not a picture"), "valid image"),
            (SimpleUploadedFile("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "image"),
            (picture("TIFF"), "JPEG, PNG, WebP or GIF"),
        ]:
            with self.subTest(upload.name):
                self.assertContains(self.client.post("/", {"text": "x", "picture": upload}), words, status_code=422)
        self.assertEqual(Post.objects.count(), 0)

    def test_picture_too_large(self):
        with mock.patch("feed.forms.PICTURE_BYTES", 10):
            self.assertContains(self.client.post("/", {"text": "x", "picture": picture()}), "larger than 5 MB", status_code=422)
        with mock.patch("feed.forms.PICTURE_PIXELS", 10):
            self.assertContains(self.client.post("/", {"text": "x", "picture": picture()}), "25 million pixels", status_code=422)

    def test_broken_picture(self):
        whole = picture("PNG", (300, 300)).read()
        self.assertEqual(self.client.post("/", {"text": "x", "picture": SimpleUploadedFile("a.png", whole[: len(whole) // 2])}).status_code, 422)

    def test_no_place_for_pictures(self):
        with override_settings(PICTURES=False):
            self.assertNotContains(self.client.get("/"), 'type="file"')
            self.assertEqual(self.client.get(f"/media/pictures/{'0' * 32}.webp").status_code, 404)

    def test_picture_that_is_not_there(self):
        self.assertEqual(self.client.get(f"/media/pictures/{'0' * 32}.webp").status_code, 404)
        self.assertEqual(self.client.get("/media/pictures/../../etc/passwd").status_code, 404)

    def test_delete_only_ones_own_and_the_picture_with_it(self):
        self.client.post("/", {"text": "mine", "picture": picture()})
        mine, other = Post.objects.get(), Post.objects.create(author=self.bob, text="his")
        self.assertEqual(self.client.post(f"/post/{other.pk}/delete/").status_code, 404)
        self.assertEqual(self.client.get(f"/post/{mine.pk}/delete/").status_code, 405)
        with self.captureOnCommitCallbacks(execute=True):
            self.assertRedirects(self.client.post(f"/post/{mine.pk}/delete/"), "/@Ada/")
        self.assertFalse(default_storage.exists(mine.picture.name))
        self.assertEqual(list(Post.objects.all()), [other])

    def test_one_post(self):
        post = Post.objects.create(author=self.bob, text="alone")
        self.assertContains(self.client.get(f"/post/{post.pk}/"), "alone")
        self.assertContains(self.client.get("/post/999999/"), "nothing at this address", status_code=404)


class PeopleTest(Site):
    def test_time_line_has_those_whom_one_follows(self):
        carl = User.objects.create(username="carl")
        for author in (self.ada, self.bob, carl):
            Post.objects.create(author=author, text=f"by {author.username}")
        self.assertRedirects(self.client.post("/@bob/follow/", {"next": "/@bob/"}), "/@bob/")
        self.client.post("/@bob/follow/")
        shown = self.client.get("/")
        self.assertEqual([post.author.username for post in shown.context["posts"]], ["bob", "Ada"])
        self.assertContains(self.client.get("/@bob/"), "Unfollow")
        self.assertContains(self.client.get("/@bob/followers/"), "@Ada")
        self.assertContains(self.client.get("/@ada/following/"), "@bob")
        self.client.post("/@bob/follow/", {"unfollow": "1"})
        self.assertEqual([post.author.username for post in self.client.get("/").context["posts"]], ["Ada"])
        self.assertContains(self.client.get("/@bob/followers/"), "No one yet")

    def test_users_cannot_follow_themselves(self):
        self.assertContains(self.client.post("/@Ada/follow/", follow=True), "cannot follow yourself")
        with self.assertRaises(IntegrityError), transaction.atomic():
            Follow.objects.create(follower=self.ada, followed=self.ada)

    def test_one_name_in_any_case(self):
        with self.assertRaises(IntegrityError), transaction.atomic():
            User.objects.create(username="BOB")

    def test_unknown_and_closed_accounts(self):
        self.assertEqual(self.client.get("/@unknown/").status_code, 404)
        User.objects.filter(pk=self.bob.pk).update(is_active=False)
        self.assertEqual(self.client.get("/@bob/").status_code, 404)

    def test_likes(self):
        post = Post.objects.create(author=self.bob, text="good")
        for _ in range(2):
            self.assertRedirects(self.client.post(f"/post/{post.pk}/like/"), f"/post/{post.pk}/")
        shown = self.client.get("/latest/").context["posts"][0]
        self.assertEqual((shown.likes_count, shown.liked), (1, True))
        self.client.logout()
        shown = self.client.get("/latest/").context["posts"][0]
        self.assertEqual((shown.likes_count, shown.liked), (1, False))
        self.client.force_login(self.ada)
        self.client.post(f"/post/{post.pk}/like/", {"unlike": "1"})
        self.assertEqual(Like.objects.count(), 0)
        self.assertEqual(self.client.post("/post/999999/like/").status_code, 404)

    def test_back_only_to_our_own_pages(self):
        post = Post.objects.create(author=self.bob, text="x")
        for bad in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "http://site.example/"):
            self.assertEqual(self.client.post(f"/post/{post.pk}/like/", {"next": bad})["Location"], f"/post/{post.pk}/")

    def test_search(self):
        for text in ("the quick brown fox", "a quick hare", "slow fox"):
            Post.objects.create(author=self.bob, text=text)
        for words, found in [("quick", 2), ('"quick brown"', 1), ("fox -slow", 1), ("QUICK fox", 1), ("nothing", 0), ("'; --", 0), ("a\0b", 0)]:
            with self.subTest(words):
                self.assertEqual(len(self.client.get("/search/", {"q": words}).context["posts"]), found)
        self.assertContains(self.client.get("/search/", {"q": "@BO"}), "@bob")
        self.assertContains(self.client.get("/search/"), "Type a name")


class PagingTest(Site):
    def test_every_post_once_however_many_come_meanwhile(self):
        Post.objects.bulk_create(Post(author=self.ada, text=str(n)) for n in range(45))
        seen, address = [], "/latest/?x=1"
        while address:
            answer = self.client.get(address)
            seen += [post.text for post in answer.context["posts"]]
            Post.objects.create(author=self.bob, text="meanwhile")
            older = re.search(r'rel="next" href="([^"]+)"', answer.content.decode())
            address = "/latest/" + older[1].replace("&amp;", "&") if older else ""
        self.assertEqual(seen, [str(n) for n in reversed(range(45))])

    def test_odd_pages(self):
        Post.objects.create(author=self.ada, text="here")
        for before in ("", "x", "-1", "9" * 40, "١"):
            with self.subTest(before):
                self.assertContains(self.client.get("/latest/", {"before": before}), "here")

    def test_the_time_line_asks_the_same_few_questions_however_long(self):
        Post.objects.bulk_create(Post(author=self.ada, text=str(n)) for n in range(30))
        self.client.get("/")
        # The session, the user, the posts.
        with self.assertNumQueries(3):
            self.client.get("/")

    def test_long_lists_of_people_have_pages(self):
        people = User.objects.bulk_create(User(username=f"p{n:03}") for n in range(25))
        Follow.objects.bulk_create(Follow(follower=one, followed=self.ada) for one in people)
        first = self.client.get("/@Ada/followers/")
        self.assertEqual(len(first.context["people"]), views.PAGE)
        self.assertEqual(len(self.client.get("/@Ada/followers/?" + first.context["more"]).context["people"]), 5)


class AdminTest(Site):
    def test_pages_of_the_admin(self):
        Post.objects.create(author=self.bob, text="seen by the admin")
        User.objects.filter(pk=self.ada.pk).update(is_staff=True, is_superuser=True)
        for address in ("", "feed/user/", "feed/post/", "feed/follow/", "feed/like/", f"feed/user/{self.bob.pk}/change/"):
            self.assertEqual(self.client.get(f"/admin/{address}").status_code, 200)

    def test_not_for_everybody(self):
        self.assertEqual(self.client.get("/admin/").status_code, 302)


class CleanUpTest(Site):
    def run_it(self, **options):
        out = io.StringIO()
        call_command("clean_up", stdout=out, **options)
        return out.getvalue()

    def test_ended_sessions_and_forgotten_pictures_go(self):
        from django.contrib.sessions.models import Session

        Session.objects.create(session_key="old", session_data="", expire_date=timezone.now() - datetime.timedelta(days=1))
        self.client.post("/", {"text": "kept", "picture": picture()})
        kept = Post.objects.get().picture.name
        lost = default_storage.save("pictures/lost.webp", ContentFile(b"x"))
        self.assertIn("0 pictures deleted of 2", self.run_it())
        self.assertFalse(Session.objects.filter(session_key="old").exists())
        with mock.patch("feed.management.commands.clean_up.GRACE", datetime.timedelta(seconds=-5)):
            self.assertIn("pictures/lost.webp\n1 pictures would be deleted of 2", self.run_it(dry_run=True))
            self.assertTrue(default_storage.exists(lost))
            self.assertIn("1 pictures deleted of 2", self.run_it())
        self.assertEqual((default_storage.exists(lost), default_storage.exists(kept)), (False, True))

    def test_nothing_to_do(self):
        self.assertIn("0 pictures deleted of 0", self.run_it())
        with override_settings(PICTURES=False):
            self.assertNotIn("pictures", self.run_it())
