package policy

import (
	"fmt"
	"strings"
)

var typeNames = map[string]string{
	"string":                    "a text",
	"bool":                      "true or false",
	"int":                       "a number",
	"uint":                      "a number without sign",
	"double":                    "a number with a fraction",
	"duration":                  "a duration",
	"timestamp":                 "a time",
	"google.protobuf.Duration":  "a duration",
	"google.protobuf.Timestamp": "a time",
	"list(string)":              "a list of texts",
	"null":                      "null",
	"null_type":                 "null",
}

// typeName is a type in words.
func typeName(name string) string {
	if words := typeNames[name]; words != "" {
		return words
	}
	if strings.HasPrefix(name, "list(") {
		return "a list"
	}
	return name
}

var comparisons = map[string]string{"_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}

var operations = map[string]string{"_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "!_": "!", "-_": "-",
	"_&&_": "&&", "_||_": "||", "_[_]": "[]", "_?_:_": "? :"}

// overloadText explains that a function or operator does not take what it is
// given. The signature is the library's: "(string, int)" or "string.(int)".
func overloadText(function, signature string) string {
	given := typesOf(signature)
	if operator := comparisons[function]; operator != "" && len(given) == 2 {
		return fmt.Sprintf("%s cannot compare %s with %s", operator, given[0], given[1]) + durationHint(given)
	}
	if function == "@in" && len(given) == 2 {
		return fmt.Sprintf("in needs a list behind it, of what stands before it: this is %s in %s", given[0], given[1])
	}
	if operator := operations[function]; operator != "" {
		return fmt.Sprintf("%s does not work on %s", operator, enumerate(given, "and")) + durationHint(given)
	}
	if how := functions[function]; how != "" {
		return fmt.Sprintf("%s is written %s, not with %s", function, how, enumerate(given, "and"))
	}
	return fmt.Sprintf("%s does not take %s", function, enumerate(given, "and"))
}

// durationHint helps who compares an age with 30 or "30d".
func durationHint(given []string) string {
	for _, t := range given {
		if t == "a duration" {
			return `; a duration is written days(30) or duration("36h")`
		}
	}
	return ""
}

// typesOf splits a signature at the commas outside of brackets.
func typesOf(signature string) []string {
	receiver, arguments, _ := strings.Cut(signature, ".(")
	if arguments == "" {
		receiver, arguments = "", strings.TrimPrefix(signature, "(")
	}
	arguments = strings.TrimSuffix(arguments, ")")
	var found []string
	if receiver != "" {
		found = append(found, typeName(receiver))
	}
	depth, start := 0, 0
	for i, r := range arguments + "," {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			if name := strings.TrimSpace(arguments[start:i]); name != "" {
				found = append(found, typeName(name))
			}
			start = i + 1
		}
	}
	return found
}
