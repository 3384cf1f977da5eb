-- +goose Up
-- A deletion over IMAP hides the message from its member once the client was
-- told that it is gone: not while a removal is only allowed and claimed. What
-- was deleted by POP3 is hidden from POP3 by the row alone.
ALTER TABLE deletions ADD COLUMN hides INTEGER NOT NULL DEFAULT 0;
-- Whether the message had no \Seen when it was hidden.
ALTER TABLE deletions ADD COLUMN unseen INTEGER NOT NULL DEFAULT 0;
-- What is hidden in a folder is among this. What is gone leaves the index.
CREATE INDEX messages_hidden ON messages (mailbox_id, folder, uid_validity, uid)
    WHERE held_since IS NOT NULL AND gone_at IS NULL AND uid IS NOT NULL;

-- Copies that deferred moves made. The original (message_id) stays where it is
-- until it is released.
CREATE TABLE moved_copies (
    mailbox_id   INTEGER NOT NULL REFERENCES mailboxes (id),
    folder       TEXT    NOT NULL,  -- of the copy, as its uid_validity and uid
    uid_validity INTEGER NOT NULL,
    uid          INTEGER NOT NULL,
    message_id   INTEGER NOT NULL REFERENCES messages (id),
    at           INTEGER NOT NULL,
    PRIMARY KEY (mailbox_id, folder, uid_validity, uid)
) WITHOUT ROWID;
CREATE INDEX moved_copies_by_original ON moved_copies (message_id);

-- +goose Down
DROP TABLE moved_copies;
DROP INDEX messages_hidden;
ALTER TABLE deletions DROP COLUMN unseen;
ALTER TABLE deletions DROP COLUMN hides;
