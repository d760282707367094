from django.contrib.auth import views as auth
from django.urls import path, re_path, reverse_lazy

from feed import views

FORM = "feed/form.html"

urlpatterns = [
    path("", views.timeline, name="timeline"),
    path("latest/", views.latest, name="latest"),
    path("search/", views.search, name="search"),
    path("post/<int:pk>/", views.post, name="post"),
    path("post/<int:pk>/delete/", views.delete, name="delete"),
    path("post/<int:pk>/like/", views.like, name="like"),
    path("@<slug:username>/", views.profile, name="profile"),
    path("@<slug:username>/follow/", views.follow, name="follow"),
    path("@<slug:username>/followers/", views.people, {"side": "followers"}, name="followers"),
    path("@<slug:username>/following/", views.people, {"side": "following"}, name="following"),
    path("account/", views.account, name="account"),
    path("account/sign-up/", views.sign_up, name="sign-up"),
    path(
        "account/log-in/",
        auth.LoginView.as_view(
            template_name=FORM,
            redirect_authenticated_user=True,
            extra_context={"title": "Log in", "button": "Log in"},
        ),
        name="log-in",
    ),
    path("account/log-out/", auth.LogoutView.as_view(), name="log-out"),
    path(
        "account/password/",
        auth.PasswordChangeView.as_view(
            template_name=FORM,
            success_url=reverse_lazy("account"),
            extra_context={"title": "Change password", "button": "Change it"},
        ),
        name="password",
    ),
    re_path(r"^media/pictures/(?P<name>[0-9a-f]{32}\.webp)$", views.picture, name="picture"),
]
