package provider

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/protobuf/types/known/emptypb"

	"slipway/rehearsal/cloud"
)

// Random is the random provider. Its values are really random, and stored only in the engine's state.
type Random struct{ base }

// NewRandom returns the random provider. It calls report, if not nil, after each operation.
func NewRandom(report func(Event)) *Random {
	return &Random{base{name: "random", version: "4.19.0", report: report}}
}

// A drawing is one of the provider's resources. Every input replaces the resource when it changes.
type drawing struct {
	inputs   cloud.Shape
	defaults map[string]any
	check    func(in cloud.Inputs) []cloud.Problem
	draw     func(in cloud.Inputs) (id string, out map[string]any, err error) // in has the defaults
	outputs  []string                                                         // unknown before the update
	secret   []string
}

const (
	lowerLetters  = "abcdefghijklmnopqrstuvwxyz"
	upperLetters  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits        = "0123456789"
	specialSigns  = "!@#$%&*()-_=+[]{}<>:?"
	bcryptLongest = 72
)

var stringShape = cloud.Shape{
	"length!": "integer", "keepers": "map", "lower": "boolean", "upper": "boolean", "numeric": "boolean", "number": "boolean",
	"special": "boolean", "minLower": "integer", "minUpper": "integer", "minNumeric": "integer", "minSpecial": "integer",
	"overrideSpecial": "string",
}

var stringDefaults = map[string]any{
	"lower": true, "upper": true, "numeric": true, "number": true, "special": true,
	"minLower": 0.0, "minUpper": 0.0, "minNumeric": 0.0, "minSpecial": 0.0,
}

var drawings = map[string]drawing{
	"random:index/randomPassword:RandomPassword": {
		inputs: stringShape, defaults: stringDefaults, check: checkString, outputs: []string{"result", "bcryptHash"},
		secret: []string{"result", "bcryptHash"},
		draw: func(in cloud.Inputs) (string, map[string]any, error) {
			s, err := drawString(in)
			if err != nil {
				return "", nil, err
			}
			hash, err := bcrypt.GenerateFromPassword([]byte(s)[:min(len(s), bcryptLongest)], bcrypt.MinCost)
			return "none", map[string]any{"result": s, "bcryptHash": string(hash)}, err
		},
	},
	"random:index/randomString:RandomString": {
		inputs: stringShape, defaults: stringDefaults, check: checkString, outputs: []string{"result"},
		draw: func(in cloud.Inputs) (string, map[string]any, error) {
			s, err := drawString(in)
			return s, map[string]any{"result": s}, err
		},
	},
	"random:index/randomId:RandomId": {
		inputs: cloud.Shape{"byteLength!": "integer", "keepers": "map", "prefix": "string"}, check: atLeastOne("byteLength"),
		outputs: []string{"b64Std", "b64Url", "dec", "hex"},
		draw: func(in cloud.Inputs) (string, map[string]any, error) {
			b := drawBytes(in.Int("byteLength"))
			prefix, url := in.String("prefix"), base64.RawURLEncoding.EncodeToString(b)
			return url, map[string]any{
				"b64Std": prefix + base64.StdEncoding.EncodeToString(b), "b64Url": prefix + url,
				"dec": prefix + new(big.Int).SetBytes(b).String(), "hex": prefix + hex.EncodeToString(b),
			}, nil
		},
	},
	"random:index/randomBytes:RandomBytes": {
		inputs: cloud.Shape{"length!": "integer", "keepers": "map"}, check: atLeastOne("length"),
		outputs: []string{"base64", "hex"}, secret: []string{"base64", "hex"},
		draw: func(in cloud.Inputs) (string, map[string]any, error) {
			b := drawBytes(in.Int("length"))
			return "none", map[string]any{"base64": base64.StdEncoding.EncodeToString(b), "hex": hex.EncodeToString(b)}, nil
		},
	},
	"random:index/randomUuid:RandomUuid": {
		inputs: cloud.Shape{"keepers": "map"}, outputs: []string{"result"},
		draw: func(cloud.Inputs) (string, map[string]any, error) {
			b := drawBytes(16)
			b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
			id := fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
			return id, map[string]any{"result": id}, nil
		},
	},
	"random:index/randomPet:RandomPet": {
		inputs: cloud.Shape{"keepers": "map", "length": "integer", "prefix": "string", "separator": "string"}, check: atLeastOne("length"),
		defaults: map[string]any{"length": 2.0, "separator": "-"},
		draw: func(in cloud.Inputs) (string, map[string]any, error) {
			var parts []string
			if p := in.String("prefix"); p != "" {
				parts = append(parts, p)
			}
			for n := in.Int("length"); n > 0; n-- {
				list := petAdjectives
				switch n {
				case 1:
					list = petNames
				case 2:
				default:
					list = petAdverbs
				}
				parts = append(parts, list[drawBelow(len(list))])
			}
			return strings.Join(parts, in.String("separator")), map[string]any{}, nil
		},
	},
}

var (
	petAdverbs = strings.Fields("barely boldly calmly daily deeply duly fairly firmly freely gladly kindly largely lightly mostly " +
		"nearly neatly openly partly purely quietly rarely safely softly surely truly warmly wholly")
	petAdjectives = strings.Fields("able amber bold brave bright calm clever cosmic curious eager fair fine fond gentle glad golden grand " +
		"happy humble keen kind lively loyal lucky merry mighty noble proud quick quiet rapid ready smart solid steady sunny swift tidy vital " +
		"warm wise witty")
	petNames = strings.Fields("ant badger bat bear bee bison buck cat cobra crab crane crow deer dog dolphin dove duck eagle eel elk " +
		"falcon finch fox frog gecko goat goose hare hawk hen heron horse ibex jay koala lark lion llama lynx mole moose moth mouse newt " +
		"otter owl ox panda pig pony puma quail raven robin seal shark sloth snail swan tiger toad trout turtle viper wasp whale wolf wren yak")
)

func atLeastOne(name string) func(cloud.Inputs) []cloud.Problem {
	return func(in cloud.Inputs) []cloud.Problem {
		if in.Has(name) && in.Int(name) < 1 {
			return []cloud.Problem{{Path: name, Rule: fmt.Sprintf("expected %s to be at least 1, got %d", name, in.Int(name))}}
		}
		return nil
	}
}

func checkString(in cloud.Inputs) []cloud.Problem {
	problems := atLeastOne("length")(in)
	sum := in.Int("minLower") + in.Int("minUpper") + in.Int("minNumeric") + in.Int("minSpecial")
	if in.Has("length") && in.Int("length") < sum {
		problems = append(problems, cloud.Problem{Path: "length",
			Rule: fmt.Sprintf("expected length to be at least %d, the sum of minLower, minUpper, minNumeric and minSpecial, got %d", sum,
				in.Int("length"))})
	}
	return problems
}

// drawString generates a string from the allowed character classes, with the minimum number of each.
func drawString(in cloud.Inputs) (string, error) {
	special := specialSigns
	if s := in.String("overrideSpecial"); s != "" {
		special = s
	}
	var all string
	var out []byte
	for _, class := range []struct{ use, least, signs string }{
		{"lower", "minLower", lowerLetters}, {"upper", "minUpper", upperLetters}, {"numeric", "minNumeric", digits},
		{"special", "minSpecial", special},
	} {
		if in.Bool(class.use) && (class.use != "numeric" || in.Bool("number")) {
			all += class.signs
		}
		for range in.Int(class.least) {
			out = append(out, class.signs[drawBelow(len(class.signs))])
		}
	}
	if all == "" {
		return "", fmt.Errorf("a random string needs at least one of lower, upper, numeric and special")
	}
	for len(out) < in.Int("length") {
		out = append(out, all[drawBelow(len(all))])
	}
	for i := len(out) - 1; i > 0; i-- {
		j := drawBelow(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return string(out), nil
}

func drawBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func drawBelow(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return int(i.Int64())
}

func (p *Random) drawing(urn string) (drawing, error) {
	d, ok := drawings[typeOf(urn)]
	if !ok {
		known := make([]string, 0, len(drawings))
		for name := range drawings {
			known = append(known, name)
		}
		return d, fmt.Errorf("the rehearsal's random provider does not know %s%s", typeOf(urn), cloud.Nearest(typeOf(urn), known))
	}
	return d, nil
}

// Check validates inputs and fills in defaults.
func (p *Random) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	d, err := p.drawing(r.GetUrn())
	if err != nil {
		return &pulumirpc.CheckResponse{Inputs: r.GetNews(), Failures: failures([]cloud.Problem{{Rule: err.Error()}})}, nil
	}
	news, err := raw(r.GetNews())
	if err != nil {
		return nil, err
	}
	problems := d.inputs.Check(news)
	if in, _ := cloud.Plain(news); d.check != nil {
		problems = append(problems, d.check(in)...)
	}
	s, err := wire(news)
	return &pulumirpc.CheckResponse{Inputs: s, Failures: failures(problems)}, err
}

// Diff replaces the resource on any change.
func (p *Random) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	d, err := p.drawing(r.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := raw(r.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := raw(r.GetNews())
	if err != nil {
		return nil, err
	}
	return planned(differ(olds, news, d.defaults, func(string) bool { return true })), nil
}

// differ compares raw inputs by property; keepers and other maps by key.
func differ(olds, news, defaults map[string]any, replaces func(path string) bool) cloud.Plan {
	var plan cloud.Plan
	var walk func(path string, was, now any)
	walk = func(path string, was, now any) {
		if s, ok := now.(cloud.Secret); ok {
			now = s.Value
		}
		if s, ok := was.(cloud.Secret); ok {
			was = s.Value
		}
		x, wasMap := was.(map[string]any)
		y, isMap := now.(map[string]any)
		if (wasMap || was == nil) && (isMap || now == nil) && (wasMap || isMap) {
			for name := range merged(x, y) {
				walk(path+"."+name, x[name], y[name])
			}
			return
		}
		if fixed, ok := defaults[path]; ok {
			if was == nil {
				was = fixed
			}
			if now == nil {
				now = fixed
			}
		}
		if now != any(cloud.Unknown) && cloud.Same(plainOf(was), plainOf(now)) {
			return
		}
		c := cloud.PropertyChange{Path: path, Op: cloud.Update, Replaces: replaces(path)}
		switch {
		case was == nil:
			c.Op = cloud.Add
		case now == nil:
			c.Op = cloud.Delete
		}
		plan.Changes = append(plan.Changes, c)
		plan.Replaces = plan.Replaces || c.Replaces
	}
	for name := range merged(olds, news) {
		if !strings.HasPrefix(name, "__") {
			walk(name, olds[name], news[name])
		}
	}
	return plan
}

// Create generates the value.
func (p *Random) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	start := time.Now()
	d, err := p.drawing(r.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := raw(r.GetProperties())
	if err != nil {
		return nil, err
	}
	outputs := merged(d.defaults, inputs)
	var id string
	if r.GetPreview() {
		for _, name := range d.outputs {
			outputs[name] = cloud.Unknown
		}
	} else {
		in, _ := cloud.Plain(outputs)
		var drawn map[string]any
		id, drawn, err = d.draw(in)
		p.event("create", r.GetUrn(), start, err)
		if err != nil {
			return nil, err
		}
		outputs = merged(outputs, drawn)
	}
	for _, name := range d.secret {
		outputs[name] = cloud.Secret{Value: outputs[name]}
	}
	s, err := wire(outputs)
	return &pulumirpc.CreateResponse{Id: id, Properties: s}, err
}

// Read returns what is in the state, the only place where the value exists.
func (p *Random) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: r.GetId(), Inputs: r.GetInputs(), Properties: r.GetProperties()}, nil
}

// Update is never called, because every change replaces.
func (p *Random) Update(_ context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	return nil, fmt.Errorf("%s cannot be changed in place", r.GetUrn())
}

// Delete has nothing to do.
func (p *Random) Delete(_ context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	p.event("delete", r.GetUrn(), time.Now(), nil)
	return &emptypb.Empty{}, nil
}
