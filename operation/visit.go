package operation

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"slipway/verdict"
)

const (
	visitTime    = 30 * time.Second // for one request
	visitTries   = 5                // if there is no answer, or nginx or the load balancer answers in its place
	mostSheets   = 20
	mostPage     = 1 << 20 // bytes of a page that are read
	mostText     = 3       // lines of a page that is an error
	linesOfVisit = 20      // of the application's log
)

// visitPause is how long a visit waits before it tries again. A new load balancer's name takes a moment to be known.
var visitPause = 3 * time.Second

// visit requests web.checkPath as a visitor does, where the site can be reached: the containers of this machine, or the site in
// its account. A model without containers has nothing to answer; the visit is nil then.
func (s *session) visit(ctx context.Context) *verdict.Visit {
	b := &browser{public: s.public, path: s.config.stack.Web.CheckPath, static: s.config.stack.App.Static.URL, pause: visitPause}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	switch {
	case s.containers != nil:
		b.base = s.containers.URL()
		// Containers answer on this machine, with a certificate of their own.
		transport.Proxy, transport.TLSClientConfig = nil, &tls.Config{InsecureSkipVerify: true}
		b.lines = func(since time.Time) []string { return s.containers.LastLines(ctx, since, linesOfVisit) }
	case s.target.Live && s.public != "":
		b.base, b.remote = s.public, true
	default:
		return nil
	}
	b.transport = transport
	page, err := b.visit(ctx)
	if err != nil { // an interrupt
		return nil
	}
	v := verdict.JudgePage(page)
	for _, note := range v.Notes {
		s.target.Progress.Logf("Note: %s", note)
	}
	return v
}

// A browser requests a page with its stylesheets.
type browser struct {
	base   string // where the site is reached
	public string // the site's own URL, which redirects may name instead
	path   string
	static string // where static files are
	remote bool   // this machine may be unable to reach the site

	transport http.RoundTripper
	pause     time.Duration
	lines     func(since time.Time) []string // of the application's log; may be nil
}

// visit requests the page. Its error is an interrupt.
func (b *browser) visit(ctx context.Context) (verdict.Page, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return verdict.Page{}, err
	}
	client := &http.Client{
		Jar: jar, Timeout: visitTime, Transport: b.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var page verdict.Page
	for try := 1; ; try++ {
		began := time.Now()
		var tree *html.Node
		page, tree = b.follow(ctx, client)
		last := page.Answers[len(page.Answers)-1]
		if ctx.Err() != nil {
			return page, ctx.Err()
		}
		if !(last.Status == 0 || last.Status >= http.StatusBadGateway && last.Status <= http.StatusGatewayTimeout) || try == visitTries {
			if b.lines != nil {
				page.Logs = b.lines(began.Truncate(time.Second))
			}
			if tree != nil && last.Status < http.StatusBadRequest {
				page.Sheets, page.Foreign = b.sheets(ctx, client, last.URL, tree)
				page.Static = b.static
			}
			return page, ctx.Err()
		}
		select {
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(b.pause):
		}
	}
}

// follow requests the page and follows redirects within the site.
func (b *browser) follow(ctx context.Context, client *http.Client) (verdict.Page, *html.Node) {
	page := verdict.Page{Path: b.path, Public: b.public}
	at := strings.TrimSuffix(b.base, "/") + b.path
	for {
		answer, tree, err := get(ctx, client, at)
		if answer.Location != "" {
			answer.Location = b.own(answer.Location)
		}
		page.Answers = append(page.Answers, answer)
		if err != nil && b.remote && len(page.Answers) == 1 && cannotReach(err) {
			page.Unreachable = err.Error()
		}
		seen := slices.ContainsFunc(page.Answers, func(a verdict.Answer) bool { return a.URL == answer.Location })
		if answer.Location == "" || seen || !sameSite(answer.Location, b.base) || len(page.Answers) > verdict.MostRedirects {
			if answer.Status >= http.StatusBadRequest {
				page.Text = textOf(tree, mostText)
			}
			return page, tree
		}
		at = answer.Location
	}
}

// cannotReach says whether an error means that no connection to the site was possible.
func cannotReach(err error) bool {
	var name *net.DNSError
	var op *net.OpError
	return errors.As(err, &name) || errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// get requests one address, and parses the answer if it is HTML.
func get(ctx context.Context, client *http.Client, address string) (verdict.Answer, *html.Node, error) {
	a := verdict.Answer{URL: address}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		a.Err = err.Error()
		return a, nil, err
	}
	q.Header.Set("User-Agent", "slipway (the check of a deployment)")
	q.Header.Set("Accept", "text/html,text/css,*/*;q=0.8")
	answer, err := client.Do(q)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // which does not repeat the address
		}
		a.Err = err.Error()
		return a, nil, err
	}
	defer answer.Body.Close()
	a.Status = answer.StatusCode
	if to, err := answer.Location(); err == nil && a.Status >= 300 && a.Status < 400 {
		a.Location = to.String()
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if kind == "text/css" || kind != "text/html" && kind != "" {
		return a, nil, nil
	}
	tree, err := html.Parse(io.LimitReader(answer.Body, mostPage))
	if err != nil {
		return a, nil, nil // the answer counts, not its text
	}
	return a, tree, nil
}

// own is an address of the site, as it is reached from here.
func (b *browser) own(address string) string {
	if b.public == "" || !sameSite(address, b.public) {
		return address
	}
	to, err := url.Parse(address)
	base, wrong := url.Parse(b.base)
	if err != nil || wrong != nil {
		return address
	}
	to.Scheme, to.Host = base.Scheme, base.Host
	return to.String()
}

func sameSite(a, b string) bool {
	one, err := url.Parse(a)
	two, wrong := url.Parse(b)
	return err == nil && wrong == nil && one.Scheme == two.Scheme && strings.EqualFold(one.Host, two.Host)
}

// sheets requests the stylesheets of a page that are the site's own. Those of other
// sites say nothing about the deployment, and are counted.
func (b *browser) sheets(ctx context.Context, client *http.Client, at string, tree *html.Node) (own []verdict.Answer, foreign int) {
	for _, address := range stylesheets(tree, at) {
		address = b.own(address)
		if !sameSite(address, b.base) {
			foreign++
			continue
		}
		if len(own) == mostSheets || slices.ContainsFunc(own, func(a verdict.Answer) bool { return a.URL == address }) {
			continue
		}
		a, page, _ := get(ctx, client, address)
		if a.Status == http.StatusOK && page != nil {
			a.Status, a.Err = 0, "a page instead of CSS" // browsers refuse it
		}
		own = append(own, a)
	}
	return own, foreign
}

// stylesheets are the addresses of the stylesheets that a page links. Alternate ones are not loaded.
func stylesheets(tree *html.Node, at string) []string {
	base, err := url.Parse(at)
	if err != nil {
		return nil
	}
	var all []string
	for n := range tree.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		href, err := url.Parse(strings.TrimSpace(attribute(n, "href")))
		if err != nil || href.String() == "" {
			continue
		}
		rel := strings.Fields(strings.ToLower(attribute(n, "rel")))
		switch {
		case n.DataAtom == atom.Base:
			base = base.ResolveReference(href)
		case n.DataAtom == atom.Link && slices.Contains(rel, "stylesheet") && !slices.Contains(rel, "alternate"):
			all = append(all, base.ResolveReference(href).String())
		}
	}
	return all
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// textOf is the first lines of a page as a visitor reads them.
func textOf(tree *html.Node, most int) []string {
	if tree == nil {
		return nil
	}
	const longest = 200
	var all []string
	for n := range tree.Descendants() {
		if n.Type != html.TextNode || n.Parent != nil && slices.Contains([]atom.Atom{atom.Script, atom.Style}, n.Parent.DataAtom) {
			continue
		}
		line := strings.Join(strings.Fields(n.Data), " ")
		if r := []rune(line); len(r) > longest {
			line = string(r[:longest]) + "…"
		}
		if line != "" && !slices.Contains(all, line) {
			all = append(all, line)
		}
		if len(all) == most {
			break
		}
	}
	return all
}
