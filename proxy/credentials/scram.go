package credentials

import (
	"strings"

	"mailguard/member"
)

// ScramName reads who logs in from the first message of a SCRAM client (RFC 5802,
// 7: client-first-message). The message goes upstream as it is, since the proof
// covers it: the caller refuses a login that the upstream knows by another name.
// So it has to be read as strictly as any server reads it; extensions, of which
// there are none yet, are refused. Its errors are ErrUnreadable and
// ErrChannelBinding.
func ScramName(message []byte) (member.Login, error) {
	flag, rest, _ := strings.Cut(string(message), ",")
	if strings.HasPrefix(flag, "p=") {
		return member.Login{}, ErrChannelBinding
	}
	parts := strings.Split(rest, ",") // authorization identity or nothing, name, nonce
	if (flag != "n" && flag != "y") || len(parts) != 3 {
		return member.Login{}, ErrUnreadable
	}
	authzid, ok1 := scramAuthzid(parts[0])
	name, ok2 := scramField("n=", parts[1])
	nonce, ok3 := strings.CutPrefix(parts[2], "r=")
	if !ok1 || !ok2 || !ok3 || !printable(nonce) {
		return member.Login{}, ErrUnreadable
	}
	c := Credentials{Login: login(authzid, name)}
	return c.Login, c.Check()
}

func scramAuthzid(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	return scramField("a=", s)
}

// scramField undoes the escapes of a name. No other ones are allowed (RFC 5802,
// 5.1).
func scramField(key, s string) (string, bool) {
	s, ok := strings.CutPrefix(s, key)
	name := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s)
	return name, ok && name != "" && saslName.Replace(name) == s
}

// printable reports whether s can be a nonce: ASCII that is seen, no comma.
func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e || r == ',' })
}
