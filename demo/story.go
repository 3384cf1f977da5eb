package demo

import (
	"context"
	"fmt"
	"strings"
)

// subjects are the messages that the story begins with.
var subjects = []string{"Order 4711", "The lift is stuck", "Invoice for June"}

// play plays the story. Every number in it was read from a client's session.
func (d *demo) play(ctx context.Context) error {
	d.say("One mailbox, %s, is shared by alice, bob and carol. The mail server behind the guard is %s.", mailbox, d.upstream.Name())
	for _, subject := range subjects {
		if err := d.upstream.Deliver(mailbox, mail(subject)); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{d.aliceTakesAll, d.bobStillHasAll, d.listHeld, d.everyoneIsDone, d.newMail} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func mail(subject string) []byte {
	return fmt.Appendf(nil, "From: customer@example.net\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%s@example.net>\r\n\r\nPlease see to it.\r\n",
		mailbox, subject, strings.ReplaceAll(strings.ToLower(subject), " ", "-"))
}

func (d *demo) aliceTakesAll(ctx context.Context) error {
	d.say("Alice's POP3 client downloads everything and removes it from the server, as POP3 clients do:")
	took, err := d.takeAll(ctx, "alice")
	if err != nil {
		return err
	}
	d.say("It downloads %d messages, and every removal is confirmed. When it looks again:", took)
	left, err := d.look(ctx, "alice")
	if err != nil {
		return err
	}
	d.say("It finds %d: for alice they are gone. Without the guard they would be gone for everybody.", left)
	return nil
}

func (d *demo) bobStillHasAll(ctx context.Context) error {
	d.say("Bob reads the same mailbox:")
	took, kept, err := d.takeAllAndLook(ctx, "bob")
	if err != nil {
		return err
	}
	d.say("Bob gets all %d. He has removed them as well, and the mail server itself still has %d, for carol.", took, kept)
	return nil
}

func (d *demo) listHeld(ctx context.Context) error {
	d.say("An administrator asks what is held, and why (mailguard held list):")
	return d.show(ctx, "held", "list")
}

func (d *demo) everyoneIsDone(ctx context.Context) error {
	d.say("Carol is the last one:")
	took, kept, err := d.takeAllAndLook(ctx, "carol")
	if err != nil {
		return err
	}
	d.say("She gets all %d too. Now everyone is done with them, and the mail server has %d: the deletions were released.", took, kept)
	d.say("Who uses the mailbox (mailguard mailboxes):")
	return d.show(ctx, "mailboxes")
}

// newMail leaves something to try.
func (d *demo) newMail(ctx context.Context) error {
	for i := range 3 {
		if err := d.upstream.Deliver(mailbox, mail(fmt.Sprintf("New message %d", i+1))); err != nil {
			return err
		}
	}
	kept, err := d.onServer(ctx)
	if err != nil {
		return err
	}
	d.say("%d new messages have come.", kept)
	return nil
}

// takeAll is a POP3 client's usual visit: fetch and delete everything.
func (d *demo) takeAll(ctx context.Context, who string) (int, error) {
	c, err := d.visit(ctx, who)
	if err != nil {
		return 0, err
	}
	defer c.close()
	count, err := c.count()
	if err != nil {
		return 0, err
	}
	for n := 1; n <= count; n++ {
		if _, err := c.message(n); err != nil {
			return 0, err
		}
		if _, err := c.command(fmt.Sprintf("DELE %d", n)); err != nil {
			return 0, err
		}
	}
	return count, c.quit()
}

// takeAllAndLook is takeAll, and a look at what the mail server has afterwards.
func (d *demo) takeAllAndLook(ctx context.Context, who string) (took, kept int, err error) {
	if took, err = d.takeAll(ctx, who); err != nil {
		return 0, 0, err
	}
	kept, err = d.onServer(ctx)
	return took, kept, err
}

// look is a visit that only looks.
func (d *demo) look(ctx context.Context, who string) (int, error) {
	c, err := d.visit(ctx, who)
	if err != nil {
		return 0, err
	}
	defer c.close()
	count, err := c.count()
	if err != nil {
		return 0, err
	}
	return count, c.quit()
}

func (d *demo) visit(ctx context.Context, who string) (*client, error) {
	c, err := connect(ctx, who, d.address, d.roots, d.Out)
	if err != nil {
		return nil, err
	}
	if err := c.logIn(mailbox+"#"+who, password); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// onServer asks the mail server itself, past the guard, what it has.
func (d *demo) onServer(ctx context.Context) (int, error) {
	c, err := connect(ctx, "mail server", d.upstream.Address(), nil, d.Out)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if err := c.logIn(mailbox, password); err != nil {
		return 0, err
	}
	count, err := c.count()
	if err != nil {
		return 0, err
	}
	return count, c.quit()
}

// show prints what a command of mailguard prints.
func (d *demo) show(ctx context.Context, args ...string) error {
	text, err := d.Command(ctx, append(args, "-c", d.file)...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		fmt.Fprint(d.Out, "    ", line)
	}
	return nil
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.Out, "\n"+format+"\n", args...)
}
