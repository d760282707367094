import feed.models
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('feed', '0001_first'),
    ]

    operations = [
        migrations.AddField(
            model_name='post',
            name='small',
            field=models.FileField(blank=True, db_default='', upload_to=feed.models.picture_name),
        ),
        migrations.AddIndex(
            model_name='post',
            index=models.Index(condition=models.Q(('small', ''), _negated=True), fields=['small'], name='post_small'),
        ),
        migrations.AddIndex(
            model_name='post',
            index=models.Index(condition=models.Q(models.Q(('picture', ''), _negated=True), ('small', '')), fields=['id'], name='post_unshrunk'),
        ),
    ]
