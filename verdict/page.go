package verdict

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/redact"
)

// An Answer is what came back for one request.
type Answer struct {
	URL      string // that was requested
	Status   int    // 0: nothing came back
	Location string // where a redirect leads to
	Err      string // why nothing came back
}

// A Page is a page of the site as a visitor got it.
type Page struct {
	Path    string   // that was requested
	Public  string   // the site's own URL, which redirects may name
	Answers []Answer // the request, then the redirects that were followed
	Text    []string // the first lines of an answer that is an error
	Sheets  []Answer // the site's own stylesheets that the page links
	Static  string   // the path of the static files: app.static.url
	Foreign int      // how many stylesheets of other sites the page links
	Logs    []string // the last lines of the application, where they are known

	// Unreachable says that this machine cannot reach the site at all, which says nothing about the site. "": it can.
	Unreachable string
}

// A Visit is the verdict on a page.
type Visit struct {
	Path   string   `json:"path"`
	Status int      `json:"status,omitempty"` // 0: no answer, or it was not requested
	Good   bool     `json:"good"`
	Reason string   `json:"reason,omitempty"` // what is wrong
	Notes  []string `json:"notes,omitempty"`  // what may be wrong
	Logs   []string `json:"logs,omitempty"`   // what the page says, and the last lines of the application
	Cause  string   `json:"cause,omitempty"`
	Next   string   `json:"next,omitempty"`
}

// MostRedirects is how many redirects a visit follows.
const MostRedirects = 5

// JudgePage decides whether a site that serves this page is up.
//
// No answer, 400 and all 5xx are wrong: those are a crashed application, ALLOWED_HOSTS, or a missing setting, whatever the
// site is. So is a redirect that never ends, or that leads to an address that the stack does not serve. Other answers can be
// what the site's author wants, and are a note: 404, a log-in page, another site. A page without any of its stylesheets is
// wrong, because the site's static files are missing then; a page that lacks some is a note that names them.
func JudgePage(p Page) *Visit {
	v := &Visit{Path: p.Path, Good: true}
	if p.Unreachable != "" {
		v.Notes = []string{fmt.Sprintf("GET %s was not checked: this machine cannot reach the site (%s)", p.Path, p.Unreachable)}
		return v
	}
	if len(p.Answers) == 0 {
		return v
	}
	first, last := p.Answers[0], p.Answers[len(p.Answers)-1]
	v.Status = last.Status
	asked := "GET " + p.Path
	if len(p.Answers) > 1 {
		asked += fmt.Sprintf(" (redirected to %s)", last.URL)
	}
	wrong := func(reason, cause, next string) {
		v.Good, v.Reason, v.Cause, v.Next = false, reason, cause, next
		v.Logs = clean(p.Logs)
		if text := clean(p.Text); len(text) > 0 {
			v.Logs = append([]string{"the page says: " + strings.Join(text, " | ")}, v.Logs...)
		}
	}
	note := func(format string, args ...any) { v.Notes = append(v.Notes, fmt.Sprintf(format, args...)) }
	switch {
	case last.Status == 0:
		wrong(asked+" got no answer: "+redact.Text(cmp.Or(last.Err, "the connection was closed")), "", "")
		v.Cause, v.Next = pageCause(p, "the application, or nginx before it, does not answer",
			"read the log: the request may take longer than its timeout")
	case last.redirects() && p.insecure(last):
		wrong(fmt.Sprintf("%s is redirected to %s, which this stack does not serve", asked, last.Location),
			"the site redirects to HTTPS (SECURE_SSL_REDIRECT), and the stack has no domain, so it serves HTTP alone",
			"set domain, or do not redirect: the load balancer of a stack with a domain redirects by itself")
	case last.redirects() && (p.again(last) || len(p.Answers) > MostRedirects):
		wrong(fmt.Sprintf("%s is redirected for ever: %s", first.path(), p.way()),
			"the site redirects to a page that redirects back; most often it redirects to HTTPS although the visitor's request was HTTPS",
			"let Django read the load balancer's header: SECURE_PROXY_SSL_HEADER = (\"HTTP_X_FORWARDED_PROTO\", \"https\")")
	case last.redirects():
		note("%s is redirected to %s, which is not this site", asked, last.Location)
	case last.Status == http.StatusBadRequest:
		wrong(answered(asked, last), "", "")
		v.Cause, v.Next = pageCause(p, "Django refuses the host name with 400: it is not in ALLOWED_HOSTS",
			"settings must read the variable ALLOWED_HOSTS, which has the site's name")
	case last.Status >= http.StatusInternalServerError:
		wrong(answered(asked, last), "", "")
		v.Cause, v.Next = pageCause(p, "the application fails in this request",
			"read its last lines; if they have no traceback, give LOGGING in the settings a console handler: "+
				"by default Django only mails errors to ADMINS")
	case last.Status == http.StatusNotFound:
		note("%s answered 404: if the site has no page there, set web.checkPath to one that it has", asked)
	case last.Status >= http.StatusBadRequest:
		note("%s answered %d %s: set web.checkPath to a page that everyone may see", asked, last.Status, http.StatusText(last.Status))
	case len(p.Answers) > 1 && logsIn(last.URL):
		note("GET %s is redirected to the log-in page %s: what is behind it was not checked", p.Path, last.path())
	}
	if v.Good {
		p.style(v)
	}
	return v
}

// style judges the stylesheets.
func (p Page) style(v *Visit) {
	var missing []string
	static := p.Foreign == 0 || p.Static == ""
	for _, s := range p.Sheets {
		if s.Status != http.StatusOK {
			missing = append(missing, fmt.Sprintf("%s answered %s", s.path(), cmp.Or(s.Err, fmt.Sprint(s.Status))))
			static = static || strings.HasPrefix(s.path(), p.Static)
		}
	}
	switch {
	case len(missing) == 0:
	case len(missing) == len(p.Sheets) && static: // otherwise dead links of a template, whose styles come from another site
		v.Good, v.Reason = false, fmt.Sprintf("GET %s links %s, and none is there: %s", p.Path, several(len(missing), "stylesheet"),
			strings.Join(missing, ", "))
		v.Cause = "the static files are not where the page looks for them: collectstatic did not run, or they are served at another path"
		v.Next = "see that the image runs collectstatic, and that STATIC_URL is what nginx or WhiteNoise serves"
	default:
		v.Notes = append(v.Notes, fmt.Sprintf("%d of %s of GET %s are missing: %s", len(missing), several(len(p.Sheets), "stylesheet"), p.Path,
			strings.Join(missing, ", ")))
	}
}

func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// telling matches the lines of an application that may say why a page failed. Others are of the requests before.
var telling = regexp.MustCompile(`DisallowedHost|Invalid HTTP_HOST|No module named|ModuleNotFoundError|ImportError|ImproperlyConfigured|` +
	`KeyError: '[A-Z_]+'|OperationalError|ProgrammingError|password authentication|` +
	`Read-only file system|Permission denied|staticfiles manifest`)

// pageCause is what the text of an answer and the application's log point to, or what is likely without them.
func pageCause(p Page, cause, next string) (string, string) {
	lines := slices.DeleteFunc(slices.Concat(p.Text, p.Logs), func(line string) bool { return !telling.MatchString(line) })
	if known, then := likely(nil, lines); known != "" && len(lines) > 0 {
		return known, then
	}
	return cause, next
}

func answered(asked string, a Answer) string {
	return fmt.Sprintf("%s answered %d %s", asked, a.Status, http.StatusText(a.Status))
}

func (a Answer) redirects() bool {
	return a.Location != "" && slices.Contains([]int{301, 302, 303, 307, 308}, a.Status)
}

func (a Answer) path() string {
	u, err := url.Parse(a.URL)
	if err != nil {
		return a.URL
	}
	return u.RequestURI()
}

// insecure says whether a redirect leads to the site's own name by HTTPS, and the site has HTTP alone.
func (p Page) insecure(a Answer) bool {
	public, err := url.Parse(p.Public)
	to, wrong := url.Parse(a.Location)
	return err == nil && wrong == nil && public.Scheme == "http" && to.Scheme == "https" && strings.EqualFold(to.Hostname(), public.Hostname())
}

// again says whether a redirect leads to an address that was requested before.
func (p Page) again(a Answer) bool {
	return slices.ContainsFunc(p.Answers, func(b Answer) bool { return b.URL == a.Location })
}

// way is the addresses of the redirects.
func (p Page) way() string {
	var all []string
	for _, a := range p.Answers {
		all = append(all, a.path())
	}
	return strings.Join(append(all, "..."), " -> ")
}

var logIn = regexp.MustCompile(`(?i)(^|[/_-])(log-?in|sign-?in|sso|oidc|saml|auth)([/_?.-]|$)|[?&]next=`)

func logsIn(address string) bool {
	u, err := url.Parse(address)
	return err == nil && logIn.MatchString(u.RequestURI())
}

// Add makes the verdict on a page part of the verdict on the services.
func (v *Verdict) Add(page *Visit) {
	v.Page = page
	if page == nil || page.Good {
		return
	}
	v.Good = false
	v.Reasons = append(v.Reasons, page.Reason)
	v.Logs, v.Cause, v.Next = page.Logs, page.Cause, page.Next
}
