package credentials_test

import (
	"errors"
	"strings"
	"testing"

	"mailguard/member"
	"mailguard/proxy/credentials"
)

// of are credentials, for short.
func of(mechanism, name, authzid, secret string) credentials.Credentials {
	return credentials.Credentials{Mechanism: mechanism, Login: member.Login{Name: name, Authzid: authzid}, Secret: secret}
}

func TestDecode(t *testing.T) {
	const plain, xoauth2, bearer = credentials.Plain, credentials.XOAUTH2, credentials.OAuthBearer
	for name, test := range map[string]struct {
		mechanism, message string
		want               credentials.Credentials
	}{
		"PLAIN":                   {plain, "\x00pair@example.com\x00two  blanks ", of(plain, "pair@example.com", "", "two  blanks ")},
		"PLAIN in another's name": {plain, "pair@example.com\x00alice\x00x", of(plain, "alice", "pair@example.com", "x")},
		"PLAIN with itself":       {plain, "Alice\x00alice\x00x", of(plain, "alice", "", "x")},
		"PLAIN, no password":      {plain, "\x00alice\x00", of(plain, "alice", "", "")},
		"PLAIN, UTF-8":            {plain, "\x00é\x00ü", of(plain, "é", "", "ü")},
		"XOAUTH2":                 {xoauth2, "user=a\x01auth=Bearer t=\x01\x01", of(xoauth2, "a", "", "t=")},
		"XOAUTH2, other order":    {xoauth2, "auth=BEARER t\x01user=a\x01\x01", of(xoauth2, "a", "", "t")},
		"OAUTHBEARER":             {bearer, "n,a=a,\x01auth=Bearer t\x01\x01", of(bearer, "a", "", "t")},
		"OAUTHBEARER, host":       {bearer, "y,a=a,\x01host=h\x01port=1\x01auth=Bearer t\x01\x01", of(bearer, "a", "", "t")},
		"OAUTHBEARER, escapes":    {bearer, "n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01", of(bearer, "a,b=c", "", "t")},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := decode[test.mechanism]([]byte(test.message)); err != nil || got != test.want {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

var decode = map[string]func([]byte) (credentials.Credentials, error){
	credentials.Plain:       credentials.DecodePlain,
	credentials.XOAUTH2:     credentials.DecodeXOAUTH2,
	credentials.OAuthBearer: credentials.DecodeOAuthBearer,
}

func TestUnreadable(t *testing.T) {
	for mechanism, messages := range map[string][]string{
		credentials.Plain: {
			"", "a", "\x00", "\x00\x00", "\x00\x00x", "a\x00b", "\x00a\x00b\x00", "\x00a\x00b\x00c",
			"\x00a\rb\x00x", "\x00a\x00x\r\nDELE 1", "a\nb\x00a\x00x", "\x00a\x7f\x00x",
		},
		credentials.XOAUTH2: {
			"", "\x01\x01", "user=a\x01\x01", "auth=Bearer t\x01\x01", "user=a\x01auth=Basic t\x01\x01",
			"user=a\x01auth=Bearer t\x01", "user=a\x01auth=Bearer t", "user=a\x01auth=Bearer \x01\x01",
			"user=a\x01auth=Bearer t\x01x=y\x01\x01", "user=a\r\n\x01auth=Bearer t\x01\x01",
		},
		credentials.OAuthBearer: {
			"", "n,a=a,", "n,a=a\x01auth=Bearer t\x01\x01", "n,a=a,b\x01auth=Bearer t\x01\x01",
			"p=tls-unique,a=a,\x01auth=Bearer t\x01\x01", "n,a=a,\x01auth=Basic t\x01\x01",
			"n,a=,\x01auth=Bearer t\x01\x01", "n,a=a\n,\x01auth=Bearer t\x01\x01", "n,a=a,\x01\x01",
		},
	} {
		for _, message := range messages {
			if got, err := decode[mechanism]([]byte(message)); !errors.Is(err, credentials.ErrUnreadable) {
				t.Errorf("%s %q: %+v, %v", mechanism, message, got, err)
			}
		}
	}
	_, err := credentials.DecodeOAuthBearer([]byte("n,,\x01auth=Bearer t\x01\x01"))
	if !errors.Is(err, credentials.ErrNamesNobody) {
		t.Errorf("a token without a name: %v", err)
	}
}

// The upstream gets a message afresh, with the name that it knows.
func TestMessage(t *testing.T) {
	for name, test := range map[string]struct {
		c    credentials.Credentials
		want string
	}{
		"PLAIN":             {of(credentials.Plain, "a#b", "", "x"), "\x00up\x00x"},
		"LOGIN":             {of(credentials.Login, "a#b", "", "x"), "\x00up\x00x"},
		"a command":         {of("USER", "a#b", "", "x"), "\x00up\x00x"},
		"in another's name": {of(credentials.Plain, "a", "pair", "x"), "pair\x00up\x00x"},
		"XOAUTH2":           {of(credentials.XOAUTH2, "a", "", "t"), "user=up\x01auth=Bearer t\x01\x01"},
		"OAUTHBEARER":       {of(credentials.OAuthBearer, "a", "", "t"), "n,a=up,\x01auth=Bearer t\x01\x01"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := test.c.Message("up"); err != nil || string(got) != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
	got, _ := of(credentials.OAuthBearer, "a", "", "t").Message("a,b=c")
	if want := "n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScramName(t *testing.T) {
	for message, want := range map[string]member.Login{
		"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL": {Name: "user"},
		"y,,n=user,r=x":                        {Name: "user"},
		"n,a=pair@example.com,n=alice,r=x":     {Name: "alice", Authzid: "pair@example.com"},
		"n,a=Alice,n=alice,r=x":                {Name: "alice"},
		"n,,n=a=2Cb=3Dc,r=x":                   {Name: "a,b=c"},
		"n,a=p=3Dq,n=a=3D2C,r=x":               {Name: "a=2C", Authzid: "p=q"},
		"n,,n=é,r=x":                           {Name: "é"},
	} {
		if got, err := credentials.ScramName([]byte(message)); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", message, got, err, want)
		}
	}
}

func TestScramNameRefused(t *testing.T) {
	for name, message := range map[string]string{
		"nothing":             "",
		"no header":           "n=user,r=x",
		"half a header":       "n,n=user,r=x",
		"unknown flag":        "x,,n=user,r=x",
		"capital flag":        "N,,n=user,r=x",
		"no name":             "n,,n=,r=x",
		"no nonce":            "n,,n=user",
		"empty nonce":         "n,,n=user,r=",
		"blank in the nonce":  "n,,n=user,r=a b",
		"nonce first":         "n,,r=x,n=user",
		"mandatory extension": "n,,m=1,n=user,r=x",
		"extension":           "n,,n=user,r=x,e=1",
		"two names":           "n,,n=user,r=x,n=other",
		"empty authzid":       "n,a=,n=user,r=x",
		"not an authzid":      "n,b=c,n=user,r=x",
		"bare =":              "n,,n=a=b,r=x",
		"small escape":        "n,,n=a=2c,r=x",
		"half an escape":      "n,,n=a=2,r=x",
		"two escapes in one":  "n,,n=a==2C,r=x",
		"other escape":        "n,,n=a=41,r=x",
		"LF":                  "n,,n=a\nb,r=x",
		"NUL":                 "n,,n=a\x00b,r=x",
		"NUL in the authzid":  "n,a=a\x00,n=b,r=x",
		"NUL behind":          "n,,n=user,r=x\x00",
	} {
		if got, err := credentials.ScramName([]byte(message)); !errors.Is(err, credentials.ErrUnreadable) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, message := range []string{"p=tls-unique,,n=user,r=x", "p=tls-exporter,a=b,n=user,r=x", "p="} {
		if _, err := credentials.ScramName([]byte(message)); !errors.Is(err, credentials.ErrChannelBinding) {
			t.Errorf("%q: %v", message, err)
		}
	}
}

// Nothing that could end a line gets through, and what the upstream gets says
// what was read.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"\x00pair@example.com\x00x", "a\x00b\x00c", "user=a\x01auth=Bearer t\x01\x01",
		"n,a=a=2Cb=3D,\x01auth=Bearer t\x01\x01", "y,a=a,\x01host=h\x01auth=Bearer t\x01\x01",
		"n,,n=user,r=x", "y,a=a=2C,n=b=3D,r=x", "p=tls-unique,,n=user,r=x", "n,,n=a==2C,r=x", "\x00\x7f\x00\r\n", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		for mechanism, read := range decode {
			c, err := read(message)
			if err != nil {
				continue
			}
			checkClean(t, c)
			written, err := c.Message(c.Login.Name)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := read(written); err != nil || again != c {
				t.Errorf("%s: %q became %q, which is %+v, %v and not %+v", mechanism, message, written, again, err, c)
			}
		}
		checkScram(t, message)
	})
}

func checkClean(t *testing.T, c credentials.Credentials) {
	t.Helper()
	if c.Login.Name == "" || strings.ContainsAny(c.Login.Name+c.Login.Authzid+c.Secret, "\r\n\x00\x01\x7f") {
		t.Errorf("got through: %+v", c)
	}
}

// checkScram writes the name that was read, and finds it where RFC 5802 has it.
func checkScram(t *testing.T, message []byte) {
	t.Helper()
	l, err := credentials.ScramName(message)
	if err != nil {
		return
	}
	checkClean(t, credentials.Credentials{Login: l})
	escaped := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(l.Name)
	if strings.Count(string(message), "n="+escaped+",r=") != 1 {
		t.Errorf("%q was read as %q", message, l.Name)
	}
}
