package guard

import (
	"slices"

	"mailguard/message"
)

// after are the marks after a change, in ascending order.
func after(marks, add, remove []message.UID) []message.UID {
	all := slices.Concat(marks, add)
	slices.Sort(all)
	taken := slices.Clone(remove)
	slices.Sort(taken)
	return without(slices.Compact(all), taken)
}

// without are the UIDs of one list which are not in the other. Both are in
// ascending order.
func without(list, other []message.UID) []message.UID {
	var left []message.UID
	for _, uid := range list {
		for len(other) > 0 && other[0] < uid {
			other = other[1:]
		}
		if len(other) == 0 || other[0] != uid {
			left = append(left, uid)
		}
	}
	return left
}
