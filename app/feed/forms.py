"""Forms that validate user input."""

import io

from django import forms
from django.conf import settings
from django.contrib.auth.forms import UserCreationForm
from django.core.files.base import ContentFile
from PIL import Image, ImageOps

from feed.models import Post, User

PICTURE_BYTES = 5 * 1024 * 1024
# A decoded pixel takes four bytes of the task's memory.
PICTURE_PIXELS = 25_000_000
PICTURE_EDGE = 1600
PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")


def redrawn(upload):
    """Re-encodes the picture: upright, no larger than a screen, without location and camera data."""
    upload.seek(0)
    with Image.open(upload, formats=PICTURE_FORMATS) as image:
        if image.width * image.height > PICTURE_PIXELS:
            raise forms.ValidationError("The picture has more than 25 million pixels.")
        # A JPEG can be scaled down while decoding.
        image.draft("RGB", (PICTURE_EDGE, PICTURE_EDGE))
        upright = ImageOps.exif_transpose(image)
        upright.thumbnail((PICTURE_EDGE, PICTURE_EDGE))
        alpha = upright.has_transparency_data
        drawn = upright.convert("RGBA" if alpha else "RGB")
    # Only the pixels, without EXIF or other metadata.
    clean = Image.new(drawn.mode, drawn.size)
    clean.paste(drawn)
    out = io.BytesIO()
    clean.save(out, "WEBP", quality=82)
    return ContentFile(out.getvalue(), "picture.webp")


class PostForm(forms.ModelForm):
    class Meta:
        model = Post
        fields = ["text", "picture"]
        widgets = {
            "text": forms.Textarea(attrs={"rows": 3, "maxlength": 280, "placeholder": "What is happening?"}),
            "picture": forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif"}),
        }

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not settings.PICTURES:
            del self.fields["picture"]

    def clean_picture(self):
        upload = self.cleaned_data["picture"]
        if not upload:
            return upload
        if upload.size > PICTURE_BYTES:
            raise forms.ValidationError("The picture is larger than 5 MB.")
        try:
            return redrawn(upload)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise forms.ValidationError("This is not a supported picture: use JPEG, PNG, WebP or GIF.") from None


class SignUpForm(UserCreationForm):
    class Meta:
        model = User
        fields = ["username"]


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["bio"]
        widgets = {"bio": forms.Textarea(attrs={"rows": 3, "maxlength": 160})}
