from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from feed.models import Follow, Like, Post, User


@admin.register(User)
class PersonAdmin(UserAdmin):
    fieldsets = UserAdmin.fieldsets + (("Profile", {"fields": ("bio",)}),)


@admin.register(Post)
class PostAdmin(admin.ModelAdmin):
    list_display = ("text", "author", "created")
    list_select_related = ("author",)
    search_fields = ("text", "author__username")
    raw_id_fields = ("author",)
    date_hierarchy = "created"


@admin.register(Follow)
class FollowAdmin(admin.ModelAdmin):
    list_display = ("follower", "followed", "created")
    list_select_related = ("follower", "followed")
    raw_id_fields = ("follower", "followed")


@admin.register(Like)
class LikeAdmin(admin.ModelAdmin):
    list_display = ("user", "post")
    list_select_related = ("user", "post")
    raw_id_fields = ("user", "post")
