"""Users, posts, follows and likes."""

import pathlib
import uuid

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Lower
from django.urls import reverse


class People(UserManager):
    def named(self, username):
        """The users with this name, none or one. Case does not matter: ADA finds Ada, by the unique index."""
        return self.alias(lower=Lower("username")).filter(lower=username.lower())

    def get_by_natural_key(self, username):
        return self.named(username).get()


class User(AbstractUser):
    """A user. Names must differ in more than case."""

    username = models.CharField(
        "name",
        max_length=30,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9_]{3,30}\Z", "3 to 30 letters, digits or underscores.")],
        help_text="3 to 30 letters, digits or underscores.",
        error_messages={"unique": "This name is taken."},
    )
    bio = models.CharField("about me", max_length=160, blank=True)
    following = models.ManyToManyField("self", through="Follow", symmetrical=False, related_name="followers")

    objects = People()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="user_name_any_case", violation_error_message="This name is taken."
            )
        ]

    def get_absolute_url(self):
        return reverse("profile", args=[self.username])


class Follow(models.Model):
    """One user sees another's posts in the timeline."""

    follower = models.ForeignKey(User, models.CASCADE, related_name="follows")
    followed = models.ForeignKey(User, models.CASCADE, related_name="followed_by")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["follower", "followed"], name="follow_once"),
            models.CheckConstraint(condition=~Q(follower=F("followed")), name="follow_not_oneself"),
        ]


class PostQuerySet(models.QuerySet):
    def timeline(self, user):
        """The posts of the user and of those the user follows."""
        followed = Follow.objects.filter(follower=user).values("followed")
        return self.filter(Q(author=user) | Q(author__in=followed))

    def matching(self, words):
        """Posts that match these words, with web search syntax: "quoted phrase", -without."""
        return self.alias(words=SearchVector("text", config="simple")).filter(
            words=SearchQuery(words, config="simple", search_type="websearch")
        )

    def unshrunk(self):
        """Posts whose picture has no thumbnail yet: the worker's queue, by the index post_unshrunk."""
        return self.exclude(picture="").filter(small="")

    def shown_to(self, user):
        """Newest first, with author, number of likes and whether this user likes it."""
        likes = Like.objects.filter(post=OuterRef("pk")).order_by()
        count = likes.values("post").annotate(n=Count("pk")).values("n")
        mine = Exists(likes.filter(user=user.pk)) if user.is_authenticated else models.Value(False)
        return self.select_related("author").annotate(likes_count=Coalesce(count, 0), liked=mine).order_by("-pk")


def picture_name(post, filename):
    """An unguessable, unique name; a picture never changes under its name."""
    return f"pictures/{uuid.uuid4().hex}{pathlib.PurePath(filename).suffix}"


class Post(models.Model):
    """A short message, optionally with a picture."""

    author = models.ForeignKey(User, models.CASCADE, related_name="posts", db_index=False)
    text = models.CharField(max_length=280)
    picture = models.ImageField(upload_to=picture_name, blank=True)
    # The thumbnail for lists, created by the worker; "" until then. The database has the default too, so that the previous
    # release can still insert posts.
    small = models.FileField(upload_to=picture_name, blank=True, db_default="")
    created = models.DateTimeField(auto_now_add=True)

    objects = PostQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["author", "-id"], name="post_by_author"),
            GinIndex(SearchVector("text", config="simple"), name="post_words"),
            # For clean_up, which checks for every picture whether a post still uses it.
            models.Index(fields=["picture"], name="post_picture", condition=~Q(picture="")),
            models.Index(fields=["small"], name="post_small", condition=~Q(small="")),
            models.Index(fields=["id"], name="post_unshrunk", condition=~Q(picture="") & Q(small="")),
        ]

    def __str__(self):
        return self.text[:50]

    def get_absolute_url(self):
        return reverse("post", args=[self.pk])

    @property
    def picture_url(self):
        """A URL on this site for any storage, because the bucket is not public."""
        return reverse("picture", args=[pathlib.PurePath(self.picture.name).name])

    @property
    def small_url(self):
        return reverse("picture", args=[pathlib.PurePath((self.small or self.picture).name).name])


class Like(models.Model):
    user = models.ForeignKey(User, models.CASCADE, related_name="likes")
    post = models.ForeignKey(Post, models.CASCADE, related_name="likes", db_index=False)

    class Meta:
        # Post first: the same index counts a post's likes and finds the user's own.
        constraints = [models.UniqueConstraint(fields=["post", "user"], name="like_once")]
