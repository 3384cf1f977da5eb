package account

import (
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"

	"mailguard/message"
)

// The sets name exactly the UIDs, each of them once, and none is too long.
func TestPieces(t *testing.T) {
	uid := rapid.OneOf(rapid.Uint32Range(1, 50), rapid.Uint32Range(1, 1<<32-1), rapid.SampledFrom([]uint32{1<<32 - 1, 1<<32 - 2}))
	rapid.Check(t, func(t *rapid.T) {
		var uids []message.UID
		for _, u := range rapid.SliceOfN(uid, 0, 3000).Draw(t, "uids") {
			uids = append(uids, message.UID(u))
		}
		sets, err := pieces(uids)
		if err != nil {
			t.Fatal(err)
		}
		var named []message.UID
		for _, set := range sets {
			if text := set.String(); len(text) > longestSet || set.Dynamic() || text == "" || strings.Contains(text, "*") {
				t.Fatalf("%.100s", text)
			}
			for _, r := range set {
				for u := uint64(r.Start); u <= uint64(r.Stop); u++ {
					named = append(named, message.UID(u))
				}
			}
		}
		slices.Sort(uids)
		if !slices.Equal(named, slices.Compact(uids)) {
			t.Fatalf("%v instead of %v", named, uids)
		}
	})
}

func TestNumberZeroIsNoMessage(t *testing.T) {
	if sets, err := pieces([]message.UID{3, 0}); err == nil || len(sets) > 0 {
		t.Errorf("%v", sets)
	}
}

func space(prefix string, delimiter rune) imap.NamespaceDescriptor {
	return imap.NamespaceDescriptor{Prefix: prefix, Delim: delimiter}
}

func TestNames(t *testing.T) {
	type descriptors = []imap.NamespaceDescriptor
	plain := spaces{personal: descriptors{space("", '/')}, foreign: descriptors{space("shared/", '/')}}
	courier := spaces{personal: descriptors{space("INBOX.", '.')}, foreign: descriptors{space("#shared.", '.')}}
	for _, test := range []struct {
		name   string
		spaces spaces
		folder string
		want   []string // nil: there is no such name
	}{
		{"inbox", courier, "INBOX", []string{"INBOX"}},
		{"as it is", plain, "Trash/2026", []string{"Trash/2026"}},
		{"below the INBOX", plain, "INBOX/Sub", []string{"INBOX/Sub"}},
		{"somebody else's", plain, "shared/bob/Box", nil},
		{"somebody else's in another case", plain, "Shared/bob/Box", nil},
		{"the root of the others", plain, "shared", nil},
		{"begins like the others", plain, "sharedness", []string{"sharedness"}},
		{"prefix", courier, "Trash/2026", []string{"INBOX.Trash.2026"}},
		{"delimiter in a level", courier, "v1.0", nil},
		{"beside the INBOX", courier, "INBOX/Sub", nil},
		{"no namespaces", spaces{}, "v1.0/x", []string{"v1.0/x"}},
		{"flat names", spaces{personal: descriptors{space("", 0)}}, "a/b", []string{"a/b"}},
		{"two namespaces", spaces{personal: descriptors{space("", '/'), space("Old/", '/')}}, "Box", []string{"Box", "Old/Box"}},
		{"below the second", spaces{personal: descriptors{space("", '/'), space("Old/", '/')}}, "Old/Box", []string{"Old/Old/Box"}},
		{"encoded prefix", spaces{personal: descriptors{space("B&APw-ro/", '/')}}, "Box", nil},
		{"nothing", plain, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.spaces.names(test.folder)
			if !slices.Equal(got, test.want) || (err != nil) != (test.want == nil) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		used, limit int64
		want        int
	}{
		{0, 10, 0}, {999, 1000, 99}, {1, 3, 33}, {7, 0, -1}, {7, -5, -1}, {-1, 5, -1},
		{1<<63 - 1, 1<<63 - 1, 100}, {1 << 62, 1<<63 - 1, 50},
	} {
		if got := percent(test.used, test.limit); got != test.want {
			t.Errorf("%d of %d: %d, want %d", test.used, test.limit, got, test.want)
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"a\x00b\x1bc": "a?b?c", "one\r\ntwo": "one?", strings.Repeat("x", 300): strings.Repeat("x", longestText) + "...",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
