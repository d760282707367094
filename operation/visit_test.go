package operation

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/verdict"
)

// TestBrowser sends a browser to a site that a test server stands in for, and judges what it got.
func TestBrowser(t *testing.T) {
	const public = "http://shop.example.com"
	page := func(links ...string) string {
		text := `<!doctype html><html><head><title>Shop</title>`
		for _, href := range links {
			text += fmt.Sprintf(`<link rel="stylesheet" href=%q>`, href)
		}
		return text + `</head><body><h1>Shop</h1></body></html>`
	}
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	css := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprint(w, "body{}")
	}
	to := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}
	}
	for _, c := range []struct {
		name  string
		path  string // default /
		site  map[string]http.HandlerFunc
		good  bool
		want  []string
		asked []string // paths, in order
	}{
		{name: "a page with its stylesheets", good: true, asked: []string{"/", "/static/a.css", "/b.css"}, site: map[string]http.HandlerFunc{
			"/{$}": answer(200, page("/static/a.css", public+"/b.css", "https://cdn.example.net/c.css",
				"/static/a.css")), "/static/a.css": css, "/b.css": css}},
		{name: "stylesheets relative to a base", good: true, asked: []string{"/", "/s/a.css"}, site: map[string]http.HandlerFunc{
			"/{$}": answer(200, `<base href="/s/"><link rel="Stylesheet" href=" a.css ">`+
				`<link rel="alternate stylesheet" href="dark.css"><link rel="icon" href="i.png">`), "/s/a.css": css}},
		{name: "no stylesheet is there", want: []string{"/static/a.css answered 404"}, site: map[string]http.HandlerFunc{"/{$}": answer(200,
			page("/static/a.css"))}},
		{name: "a dead link beside another site's stylesheet", good: true, want: []string{"/dist/a.css answered 404"},
			site: map[string]http.HandlerFunc{"/{$}": answer(200, page("/dist/a.css", "https://cdn.example.net/a.css"))}},
		{name: "no static file is there beside another site's stylesheet", want: []string{"none is there: /static/a.css answered 404"},
			site: map[string]http.HandlerFunc{"/{$}": answer(200, page("/static/a.css", "https://cdn.example.net/a.css"))}},
		{name: "a page in place of a stylesheet", want: []string{"/static/a.css answered a page instead of CSS"},
			site: map[string]http.HandlerFunc{
				"/{$}": answer(200, page("/static/a.css")), "/static/a.css": answer(200, page())}},
		{name: "one stylesheet is missing", good: true, want: []string{"1 of 2 stylesheets"}, site: map[string]http.HandlerFunc{
			"/{$}": answer(200, page("/a.css", "/b.css")), "/a.css": css}},
		{name: "every page answers 400", want: []string{"GET / answered 400", "the page says: Bad Request (400)", "ALLOWED_HOSTS"},
			asked: []string{"/"},
			site:  map[string]http.HandlerFunc{"/": answer(400, "<style>x</style><h1>Bad Request (400)</h1>")}},
		{name: "every page answers 500, which is not tried again", want: []string{"GET / answered 500", "container django:", "ValueError: x"},
			asked: []string{"/"},
			site:  map[string]http.HandlerFunc{"/": answer(500, "<h1>Server Error (500)</h1>")}},
		{name: "502 is tried again", want: []string{"GET / answered 502"}, asked: slices.Repeat([]string{"/"}, visitTries),
			site: map[string]http.HandlerFunc{"/": answer(502, "")}},
		{name: "no answer", want: []string{"GET / got no answer: EOF"}, site: map[string]http.HandlerFunc{"/": func(w http.ResponseWriter,
			_ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		}}},
		{name: "web.checkPath", path: "/shop/?page=1", good: true, asked: []string{"/shop/?page=1"},
			site: map[string]http.HandlerFunc{"/shop/": answer(200, page()), "/{$}": answer(500, "")}},
		{name: "a log-in page", good: true, want: []string{"log-in page /login/?next=/"}, asked: []string{"/", "/login/?next=/"},
			site: map[string]http.HandlerFunc{"/{$}": to(public + "/login/?next=/"), "/login/": answer(200, page())}},
		{name: "HTTPS of its own name", want: []string{"which this stack does not serve"}, asked: []string{"/"},
			site: map[string]http.HandlerFunc{"/": to("https://shop.example.com/")}},
		{name: "a loop", want: []string{"redirected for ever: / -> /a -> ..."}, asked: []string{"/", "/a"},
			site: map[string]http.HandlerFunc{"/{$}": to("/a"), "/a": to("/")}},
		{name: "a cookie ends the redirects", good: true, asked: []string{"/", "/set", "/in"}, site: map[string]http.HandlerFunc{
			"/{$}": to("/set"), "/set": func(w http.ResponseWriter, q *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
				to("/in")(w, q)
			}, "/in": func(w http.ResponseWriter, q *http.Request) {
				if _, err := q.Cookie("seen"); err != nil {
					to("/set")(w, q)
					return
				}
				answer(200, page())(w, q)
			}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			mux := http.NewServeMux()
			for pattern, h := range c.site {
				mux.HandleFunc(pattern, h)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				asked = append(asked, q.URL.RequestURI())
				mux.ServeHTTP(w, q)
			}))
			defer server.Close()
			b := &browser{base: server.URL, public: public, path: "/", static: "/static/", pause: time.Millisecond,
				transport: &http.Transport{DisableKeepAlives: true},
				lines:     func(time.Time) []string { return []string{"container django:", "ValueError: x"} }}
			if c.path != "" {
				b.path = c.path
			}
			got, err := b.visit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			v := verdict.JudgePage(got)
			said := strings.Join(slices.Concat([]string{v.Reason, v.Cause, v.Next}, v.Notes, v.Logs), "\n")
			if v.Good != c.good {
				t.Errorf("good is %t:\n%s", v.Good, said)
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if c.asked != nil && !slices.Equal(asked, c.asked) {
				t.Errorf("requests were %q, want %q", asked, c.asked)
			}
		})
	}
}

func TestASiteThatThisMachineCannotReachIsNotBad(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	for remote, good := range map[bool]bool{true: true, false: false} {
		b := &browser{base: closed.URL, path: "/", remote: remote, transport: &http.Transport{}, pause: time.Millisecond}
		page, err := b.visit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v := verdict.JudgePage(page); v.Good != good || good && len(v.Notes) != 1 {
			t.Errorf("remote %t: %+v", remote, v)
		}
	}
}
