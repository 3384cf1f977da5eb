package wire

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrUTF7 is the error of a folder name that is not modified UTF-7, or not the
// one form of it that is canonical.
var ErrUTF7 = errors.New("the name is not modified UTF-7")

// utf7Base64 is base64 with "," for "/" and without padding (RFC 3501, 5.1.3).
var utf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// EncodeUTF7 writes a name of valid UTF-8 in modified UTF-7 (RFC 3501, 5.1.3).
// What is not UTF-8 becomes U+FFFD.
func EncodeUTF7(name string) string {
	if isPlainUTF7(name) {
		return name
	}
	var b strings.Builder
	var run []rune // what is to be written in base64
	flush := func() {
		if len(run) > 0 {
			b.WriteString("&" + encodeUTF16(run) + "-")
			run = run[:0]
		}
	}
	for _, r := range name {
		if r < 0x20 || r > 0x7e {
			run = append(run, r)
			continue
		}
		flush()
		b.WriteByte(byte(r))
		if r == '&' {
			b.WriteByte('-')
		}
	}
	flush()
	return b.String()
}

// isPlainUTF7 reports whether a name is the same in both forms.
func isPlainUTF7(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < 0x20 || c > 0x7e || c == '&' {
			return false
		}
	}
	return true
}

func encodeUTF16(run []rune) string {
	units := utf16.Encode(run)
	octets := make([]byte, 0, 2*len(units))
	for _, u := range units {
		octets = append(octets, byte(u>>8), byte(u))
	}
	return utf7Base64.EncodeToString(octets)
}

// DecodeUTF7 reads a name in modified UTF-7. Only the canonical form is read,
// so that one folder has one name: what EncodeUTF7 would write otherwise is an
// error.
func DecodeUTF7(text string) (string, error) {
	if isPlainUTF7(text) {
		return text, nil
	}
	var b strings.Builder
	for rest := text; rest != ""; {
		plain, tail, shifted := strings.Cut(rest, "&")
		b.WriteString(plain)
		if !shifted {
			break
		}
		code, after, closed := strings.Cut(tail, "-")
		if !closed {
			return "", ErrUTF7
		}
		if err := decodeRun(&b, code); err != nil {
			return "", err
		}
		rest = after
	}
	name := b.String()
	if !utf8.ValidString(name) || EncodeUTF7(name) != text {
		return "", ErrUTF7
	}
	return name, nil
}

// decodeRun reads what stands between "&" and "-".
func decodeRun(b *strings.Builder, code string) error {
	if code == "" {
		b.WriteByte('&')
		return nil
	}
	octets, err := utf7Base64.DecodeString(code)
	if err != nil || len(octets)%2 != 0 {
		return ErrUTF7
	}
	units := make([]uint16, 0, len(octets)/2)
	for i := 0; i < len(octets); i += 2 {
		units = append(units, uint16(octets[i])<<8|uint16(octets[i+1]))
	}
	b.WriteString(string(utf16.Decode(units)))
	return nil
}
