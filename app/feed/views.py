"""The pages. Every change is a POST that redirects back to the previous page."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from feed.forms import PostForm, ProfileForm, SignUpForm
from feed.models import Follow, Like, Post, User

PAGE = 20


def page(request, rows):
    """One page of rows ordered by descending pk, and the query string of the next page, or "".

    The next page starts after the last row seen, so every page costs the same, and new posts neither repeat nor hide
    rows.
    """
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    rows = list(rows[: PAGE + 1])
    if len(rows) <= PAGE:
        return rows, ""
    query = request.GET.copy()
    query["before"] = rows[PAGE - 1].pk
    return rows[:PAGE], query.urlencode()


def back(request, otherwise):
    """Redirects to the page that the form came from, if it is on this site."""
    there = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    return redirect(there if ours else otherwise)


@require_http_methods(["GET", "HEAD", "POST"])
def timeline(request):
    """The posts of followed users, and the form for a new post."""
    if not request.user.is_authenticated:
        return redirect("latest")
    form = PostForm(request.POST or None, request.FILES or None) if request.method == "POST" else PostForm()
    if request.method == "POST" and form.is_valid():
        form.instance.author = request.user
        form.save()
        return redirect("timeline")
    posts, more = page(request, Post.objects.timeline(request.user).shown_to(request.user))
    status = 422 if form.errors else 200
    return render(request, "feed/timeline.html", {"form": form, "posts": posts, "more": more}, status=status)


@require_safe
def latest(request):
    """All posts: the front page for users who are not logged in."""
    posts, more = page(request, Post.objects.shown_to(request.user))
    return render(request, "feed/latest.html", {"posts": posts, "more": more})


@require_safe
def search(request):
    words = request.GET.get("q", "").strip().replace("\0", "")[:100]
    people, posts, more = [], [], ""
    if words:
        name = words.removeprefix("@")
        people = User.objects.filter(is_active=True, username__istartswith=name).order_by("username")[:10]
        posts, more = page(request, Post.objects.matching(words).shown_to(request.user))
    return render(request, "feed/search.html", {"words": words, "people": people, "posts": posts, "more": more})


@require_safe
def post(request, pk):
    shown = get_object_or_404(Post.objects.shown_to(request.user), pk=pk)
    return render(request, "feed/post.html", {"post": shown})


@require_POST
@login_required
def delete(request, pk):
    """Deletes one's own post. The pictures are deleted after the row; if that fails, clean_up deletes them."""
    doomed = get_object_or_404(Post, pk=pk, author=request.user)
    with transaction.atomic():
        doomed.delete()
        for picture in {doomed.picture.name, doomed.small.name} - {""}:
            transaction.on_commit(lambda picture=picture: default_storage.delete(picture), robust=True)
    messages.success(request, "The post was deleted.")
    return redirect("profile", request.user.username)


@require_POST
@login_required
def like(request, pk):
    """Likes a post, or with unlike=1 removes the like. Idempotent."""
    if request.POST.get("unlike"):
        Like.objects.filter(user=request.user, post_id=pk).delete()
    else:
        Like.objects.get_or_create(user=request.user, post=get_object_or_404(Post, pk=pk))
    return back(request, f"/post/{pk}/")


def person_named(username):
    return get_object_or_404(User.objects.named(username), is_active=True)


@require_safe
def profile(request, username):
    person = person_named(username)
    posts, more = page(request, person.posts.shown_to(request.user))
    context = {
        "person": person,
        "posts": posts,
        "more": more,
        "posts_count": person.posts.count(),
        "followers_count": person.followed_by.count(),
        "following_count": person.follows.count(),
        "follows": request.user.is_authenticated and request.user.follows.filter(followed=person).exists(),
    }
    return render(request, "feed/profile.html", context)


@require_POST
@login_required
def follow(request, username):
    """Follows a user, or with unfollow=1 stops following. Idempotent."""
    person = person_named(username)
    if request.POST.get("unfollow"):
        Follow.objects.filter(follower=request.user, followed=person).delete()
    elif person == request.user:
        messages.error(request, "You cannot follow yourself.")
    else:
        Follow.objects.get_or_create(follower=request.user, followed=person)
    return back(request, person)


@require_safe
def people(request, username, side):
    """The followers of a user, or those the user follows."""
    person = person_named(username)
    rows = (person.followed_by if side == "followers" else person.follows).order_by("-pk")
    rows, more = page(request, rows.select_related("follower", "followed"))
    listed = [row.follower if side == "followers" else row.followed for row in rows]
    return render(request, "feed/people.html", {"person": person, "side": side, "people": listed, "more": more})


@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request):
    if request.user.is_authenticated:
        return redirect("timeline")
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                person = form.save()
        except IntegrityError:
            # Another user took the name between the check and the insert.
            form.add_error("username", "This name is taken.")
        else:
            login(request, person)
            messages.success(request, f"Welcome, {person.username}.")
            return redirect("timeline")
    return render(request, "feed/form.html", {"form": form, "title": "Sign up", "button": "Sign up"})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def account(request):
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect(request.user)
    return render(request, "feed/account.html", {"form": form})


@require_safe
def picture(request, name):
    """A picture from the private bucket. nginx and browsers may cache it forever, because it never changes.

    An uploaded file must not run as a page of the site, whatever a browser takes it for.
    """
    if not settings.PICTURES:
        raise Http404
    try:
        file = default_storage.open(f"pictures/{name}")
    except FileNotFoundError:
        raise Http404 from None
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return FileResponse(file, content_type="image/webp", headers=headers)
