package verdict_test

import (
	"strings"
	"testing"

	"slipway/verdict"
)

func TestPage(t *testing.T) {
	const at = "http://127.0.0.1:8001"
	page := func(status int, answers ...verdict.Answer) verdict.Page {
		return verdict.Page{Path: "/", Public: "http://shop.example.com", Answers: append([]verdict.Answer{{URL: at + "/", Status: status}},
			answers...)}
	}
	to := func(p verdict.Page, location string) verdict.Page {
		p.Answers[len(p.Answers)-1].Location = location
		return p
	}
	styled := func(statuses ...int) verdict.Page {
		p := page(200)
		for i, status := range statuses {
			p.Sheets = append(p.Sheets, verdict.Answer{URL: at + "/static/" + string(rune('a'+i)) + ".css?v=1", Status: status})
		}
		return p
	}
	elsewhere := func(p verdict.Page) verdict.Page {
		p.Static, p.Foreign = "/styles/", 1
		return p
	}
	for _, c := range []struct {
		name string
		page verdict.Page
		good bool
		want []string // parts of the reason, the notes, the cause and the next step
	}{
		{name: "a page", page: page(200), good: true},
		{name: "a dead link beside another site's stylesheet", page: elsewhere(styled(404)), good: true,
			want: []string{"1 of 1 stylesheet of GET / are missing: /static/a.css?v=1 answered 404"}},
		{name: "static files are missing beside another site's stylesheet", page: func() verdict.Page {
			p := elsewhere(styled(404))
			p.Static = "/static/"
			return p
		}(), want: []string{"links 1 stylesheet, and none is there"}},
		{name: "a page without anything in it", page: page(204), good: true},
		{name: "every page answers 400", page: page(400), want: []string{"GET / answered 400 Bad Request", "ALLOWED_HOSTS"}},
		{name: "every page answers 500", page: page(500), want: []string{"GET / answered 500 Internal Server Error",
			"the application fails in this request", "LOGGING", "ADMINS"}},
		{name: "500, and the log says why", page: func() verdict.Page {
			p := page(500)
			p.Logs = []string{"container django:", "django.db.utils.ProgrammingError: relation \"shop_item\" does not exist", "PASSWORD=hunter2"}
			return p
		}(), want: []string{"the database does not have", "makemigrations", "shop_item", "PASSWORD=…"}},
		{name: "500 for a stylesheet that the manifest lacks", page: func() verdict.Page {
			p := page(500)
			p.Logs = []string{"ValueError: Missing staticfiles manifest entry for 'shop.css'"}
			return p
		}(), want: []string{"collectstatic"}},
		{name: "400, and the page says why", page: func() verdict.Page {
			p := page(400)
			p.Text = []string{"DisallowedHost at /"}
			return p
		}(), want: []string{"ALLOWED_HOSTS", "the page says: DisallowedHost at /"}},
		{name: "nginx has no application behind it", page: page(502), want: []string{"GET / answered 502 Bad Gateway"}},
		{name: "the balancer has no target", page: page(503), want: []string{"GET / answered 503"}},
		{name: "no answer", page: func() verdict.Page {
			p := page(0)
			p.Answers[0].Err = "EOF"
			return p
		}(), want: []string{"GET / got no answer: EOF"}},
		{name: "a site without a front page", page: page(404), good: true, want: []string{"answered 404", "web.checkPath"}},
		{name: "a page that needs a password", page: page(401), good: true, want: []string{"answered 401", "web.checkPath"}},
		{name: "a log-in page", page: to(page(302, verdict.Answer{URL: at + "/account/log-in/?next=/", Status: 200}), ""), good: true,
			want: []string{"GET / is redirected to the log-in page /account/log-in/?next=/"}},
		{name: "another page of the site", page: page(302, verdict.Answer{URL: at + "/en/", Status: 200}), good: true},
		{name: "a log-in page that fails", page: page(302, verdict.Answer{URL: at + "/login/", Status: 500}),
			want: []string{"(redirected to " + at + "/login/) answered 500"}},
		{name: "another site", page: to(page(302), "https://id.example.net/authorize"), good: true,
			want: []string{"redirected to https://id.example.net/authorize, which is not this site"}},
		{name: "HTTPS, which the stack does not serve", page: to(page(301), "https://shop.example.com/"),
			want: []string{"redirected to https://shop.example.com/, which this stack does not serve", "SECURE_SSL_REDIRECT", "set domain"}},
		{name: "redirected to itself", page: to(page(301), at+"/"), want: []string{"redirected for ever: / -> ...", "SECURE_PROXY_SSL_HEADER"}},
		{name: "redirected from page to page", page: func() verdict.Page {
			p := page(302)
			for range verdict.MostRedirects {
				p.Answers = append(p.Answers, verdict.Answer{URL: at + "/x", Status: 302})
			}
			return to(p, at+"/y")
		}(), want: []string{"redirected for ever"}},
		{name: "all stylesheets are there", page: styled(200, 200), good: true},
		{name: "its only stylesheet is missing", page: styled(404),
			want: []string{"links 1 stylesheet, and none is there: /static/a.css?v=1 answered 404", "collectstatic"}},
		{name: "one of two stylesheets is missing", page: styled(200, 404), good: true,
			want: []string{"1 of 2 stylesheets of GET / are missing: /static/b.css?v=1 answered 404"}},
		{name: "this machine cannot reach the site", page: verdict.Page{Path: "/", Unreachable: "no such host"}, good: true,
			want: []string{"was not checked: this machine cannot reach the site (no such host)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := verdict.JudgePage(c.page)
			said := strings.Join(append(append([]string{v.Reason, v.Cause, v.Next}, v.Notes...), v.Logs...), "\n")
			if v.Good != c.good || v.Good != (v.Reason == "") || !v.Good && (v.Cause == "" || v.Next == "") {
				t.Errorf("good is %t: %+v", v.Good, v)
			}
			if c.good && len(c.want) == 0 && len(v.Notes) > 0 {
				t.Errorf("notes: %q", v.Notes)
			}
			for _, want := range c.want {
				if !strings.Contains(said, want) {
					t.Errorf("it does not say %q:\n%s", want, said)
				}
			}
			if strings.Contains(said, "hunter2") {
				t.Errorf("it says a password:\n%s", said)
			}

			// As a part of the verdict on the services.
			whole := verdict.Verdict{Good: true}
			whole.Add(v)
			if whole.Good != c.good || !c.good && !strings.HasPrefix(whole.String(),
				"the release runs, but the site does not answer as it should\n  "+v.Reason) {
				t.Errorf("the verdict is %t:\n%s", whole.Good, whole)
			}
		})
	}
}
