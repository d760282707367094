package check

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// A fixed address of Redis does not need a cache that the stack has already, but a variable.
func TestAFixedAddressOfRedis(t *testing.T) {
	needPython(t)
	for _, cache := range []bool{false, true} {
		folder := t.TempDir()
		write(t, folder, read(t, "base.txtar"), txtar.Parse([]byte(with("CHANNEL_LAYERS = {'default': {'BACKEND': "+
			"'channels_redis.core.RedisChannelLayer', 'CONFIG': {'hosts': [('127.0.0.1', 6379)]}}}"))))
		o := options(t, folder, "")
		o.Stack.Cache = cache
		got := shown(run(t, o))
		if !strings.Contains(got, "service-missing") || strings.Contains(got, "Set cache.node") == cache ||
			strings.Contains(got, "Read the address from a variable") != cache {
			t.Errorf("cache %v:\n%s", cache, got)
		}
	}
}
