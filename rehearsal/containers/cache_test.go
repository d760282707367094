package containers

import (
	"fmt"
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
)

// cached is a run with a cache, and a task that runs Python with a URL for it.
type cached struct {
	*Run
	t       *testing.T
	group   map[string]any
	objects []*cloud.Object
}

func newCached(t *testing.T) *cached {
	t.Helper()
	r := dockered(t, "[]")
	for _, image := range []string{"slipway-valkey:sid", "slipway-celery:sid"} {
		if _, err := r.engine.do(t.Context(), nil, "image", "inspect", image); err != nil {
			t.Skip("there is no " + image + ", which app/debian-base.sh makes")
		}
	}
	r.id = "test-" + draw()
	r.network, r.kept.Valkey = "slipway-"+r.id, "slipway-valkey:sid"
	if err := r.connect(); err != nil {
		t.Fatal(err)
	}
	if err := r.authority(); err != nil {
		t.Fatal(err)
	}
	c := &cached{Run: r, t: t, group: map[string]any{"engine": "valkey", "engineVersion": "8.0", "port": 6379.0,
		"primaryEndpointAddress": "master.shop.use1.cache.amazonaws.com", "readerEndpointAddress": "replica.shop.use1.cache.amazonaws.com",
		"transitEncryptionEnabled": true, "authToken": "first-token-of-this-cache"}}
	c.objects = []*cloud.Object{{Type: replicationGroupType, ID: "shop", Outputs: c.group}}
	r.frozen.Store(&c.objects)
	return c
}

// python runs a program with the URL of the cache in the variable U, and returns the end of its output.
func (c *cached) python(image, url, program string) string {
	c.t.Helper()
	containers := fmt.Sprintf(`[{"name":"django","image":%q,"user":"10001","readonlyRootFilesystem":true,"command":["python3","-c",%q],
		"environment":[{"name":"U","value":%q}]}]`, image, "import os\nu = os.environ['U']\n"+program, url)
	task := &cloud.Object{Type: "aws:ecs/taskDefinition:TaskDefinition", Outputs: map[string]any{"arn": "task:1", "family": "task",
		"containerDefinitions": containers}}
	objects := append([]*cloud.Object{task}, c.objects...)
	c.frozen.Store(&objects)
	result := c.Task(c.t.Context(), cloud.TaskRun{TaskDefinition: "task:1", Container: "django"})
	if result.ExitCode == cloud.NeverStarted {
		c.t.Fatal(result.Reason)
	}
	return strings.Join(result.Logs, "\n")
}

const (
	celeryImage = "slipway-celery:sid"
	inURL       = "@master.shop.use1.cache.amazonaws.com:6379/0?ssl_cert_reqs=required"
	askCache    = "import redis\nr = redis.Redis.from_url(u)\n"
)

// The clients of Django projects verify the certificate of the cache as in AWS, without a change to the project.
func TestClientsReachTheCacheWithTLS(t *testing.T) {
	c := newCached(t)
	url := "rediss://:first-token-of-this-cache" + inURL
	for name, test := range map[string]struct{ program, want string }{
		"redis-py":     {askCache + "r.set('kept', 1)\nprint('kept', r.get('kept'))", "kept b'1'"},
		"the replicas": {askCache + "print(redis.Redis.from_url(u.replace('master', 'replica')).ping())", "True"},
		"django-redis": {"from django.conf import settings\n" +
			"settings.configure(CACHES={'default': {'BACKEND': 'django_redis.cache.RedisCache', 'LOCATION': u}})\n" +
			"from django.core.cache import cache\ncache.set('a', 'held')\nprint(cache.get('a'))", "held"},
		"Celery": {"from celery import Celery\na = Celery('a', broker=u, backend=u)\n" +
			"print(a.connection().ensure_connection(max_retries=1).connected, a.backend.client.ping())", "True True"},
		"Channels": {"import asyncio\nfrom channels_redis.core import RedisChannelLayer\nlayer = RedisChannelLayer(hosts=[u])\n" +
			"async def talk():\n    await layer.send('a', {'type': 'passed'})\n    print(await layer.receive('a'))\nasyncio.run(talk())",
			"{'type': 'passed'}"},
		"another host name": {"import redis, socket\nu = u.replace('master.shop.use1.cache.amazonaws.com', " +
			"socket.gethostbyname('master.shop.use1.cache.amazonaws.com'))\nredis.Redis.from_url(u).ping()", "CERTIFICATE_VERIFY_FAILED"},
		"no TLS": {"import redis\nredis.Redis.from_url(u.replace('rediss', 'redis').split('?')[0]).ping()", "Connection"},
		"no password": {"import redis\nredis.Redis.from_url(u.replace(':first-token-of-this-cache@', '')).ping()",
			"Authentication required"},
		"a restricted command": {askCache + "r.config_get('*')", "no permissions to run the 'config|get' command"},
	} {
		if got := c.python(celeryImage, url, test.program); !strings.Contains(got, test.want) {
			t.Errorf("%s: want %q in\n%s", name, test.want, got)
		}
	}

	// A new password is valid beside the one that running tasks have, and the data stays.
	c.group["authToken"] = "second-token-of-this-cache"
	for _, token := range []string{"first", "second"} {
		got := c.python(celeryImage, "rediss://:"+token+"-token-of-this-cache"+inURL, askCache+"print('kept', r.get('kept'))")
		if !strings.Contains(got, "kept b'1'") {
			t.Errorf("with the %s password: %s", token, got)
		}
	}

	c.objects = nil
	c.frozen.Store(&c.objects)
	if err := c.ensureData(t.Context()); err != nil {
		t.Fatal(err)
	}
	if boxes, err := c.engine.boxes(t.Context(), labelCache); err != nil || len(boxes) > 0 {
		t.Errorf("%d caches are left, %v", len(boxes), err)
	}
}

// An image without CA certificates cannot verify Amazon's certificate either.
func TestAnImageWithoutCertificatesDoesNotReachTheCache(t *testing.T) {
	c := newCached(t)
	const image = "slipway-test-bare:sid"
	if _, err := c.engine.feed(t.Context(), []string{"DOCKER_BUILDKIT=0"},
		strings.NewReader("FROM "+celeryImage+"\nRUN rm -r /etc/ssl/certs\n"),
		nil, "build", "-t", image, "-"); err != nil {
		t.Fatal(err)
	}
	defer c.engine.do(t.Context(), nil, "rmi", image)
	if got := c.python(image, "rediss://:first-token-of-this-cache"+inURL, askCache+"r.ping()"); !strings.Contains(got,
		"CERTIFICATE_VERIFY_FAILED") {
		t.Error(got)
	}
}
