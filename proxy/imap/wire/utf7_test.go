package wire

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestUTF7(t *testing.T) {
	for name, text := range map[string]string{
		"":                   "",
		"INBOX":              "INBOX",
		"a b~":               "a b~",
		"&":                  "&-",
		"&&":                 "&-&-",
		"A&B":                "A&-B",
		"é":                  "&AOk-",
		"été":                "&AOk-t&AOk-",
		"~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		"Entwürfe":           "Entw&APw-rfe",
		"📬":                  "&2D3c7A-",
		"\x01":               "&AAE-",
		"\x7f":               "&AH8-",
		"é&":                 "&AOk-&-",
		"é-":                 "&AOk--",
	} {
		if got := EncodeUTF7(name); got != text {
			t.Errorf("%q: written as %q, want %q", name, got, text)
		}
		if got, err := DecodeUTF7(text); err != nil || got != name {
			t.Errorf("%q: read as %q, %v, want %q", text, got, err, name)
		}
	}
}

func TestUTF7Refuses(t *testing.T) {
	for name, text := range map[string]string{
		"no end":                   "&AOk",
		"ampersand alone":          "a&b",
		"not base64":               "&A!k-",
		"slash":                    "&U/BTFw-",
		"padding":                  "&AOk=-",
		"one octet":                "&AA-",
		"bits left over":           "&AOl-",
		"a letter that needs none": "&AFQ-",
		"INBOX":                    "&AEkATgBCAE8AWA-",
		"an ampersand in base64":   "&ACY-",
		"two runs":                 "&AOk-&AOk-",
		"half a surrogate":         "&2D0-",
		"surrogates turned round":  "&3KzYPQ-",
		"8-bit":                    "\xc3\xa9",
		"control character":        "a\x01",
		"line end in base64":       "&AO\r\nk-",
		"DEL":                      "a\x7f",
	} {
		if got, err := DecodeUTF7(text); !errors.Is(err, ErrUTF7) || got != "" {
			t.Errorf("%s: %q read as %q, %v", name, text, got, err)
		}
	}
}

func TestUTF7ThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		if got, err := DecodeUTF7(EncodeUTF7(name)); err != nil || got != name {
			t.Fatalf("%q became %q, %v", name, got, err)
		}
	})
}

// One folder has one spelling.
func FuzzDecodeUTF7(f *testing.F) {
	for _, s := range []string{"INBOX", "&AOk-", "&-", "&U,BTFw-", "&AOk-&AOk-", "&AFQ-", "&AO", "&2D3c7A-", "&AOl-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := DecodeUTF7(text)
		if err == nil && EncodeUTF7(name) != text {
			t.Errorf("%q is read as %q, which is written %q", text, name, EncodeUTF7(name))
		}
	})
}
