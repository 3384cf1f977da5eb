-- +goose Up
-- A deletion over IMAP hides the message from its member once the client was
-- told that it is gone: not while a removal is only allowed and claimed. What
-- was deleted by POP3 is hidden from POP3 by the row alone.
ALTER TABLE deletions ADD COLUMN hides INTEGER NOT NULL DEFAULT 0;
-- Whether the message had no \Seen when it was hidden.
ALTER TABLE deletions ADD COLUMN unseen INTEGER NOT NULL DEFAULT 0;
-- Where the deletion hides the message: a copy of what the message's row says,
-- so that what is hidden from a member in a folder is found without a look at
-- what others hide, or the member in other folders. uid is NULL if it hides
-- nothing, or the message is gone: such a deletion is not in the index, which
-- has unseen so that counting need not read the deletions.
ALTER TABLE deletions ADD COLUMN folder TEXT;
ALTER TABLE deletions ADD COLUMN uid_validity INTEGER;
ALTER TABLE deletions ADD COLUMN uid INTEGER;
CREATE INDEX deletions_hidden ON deletions (member_id, folder, uid_validity, uid, unseen) WHERE uid IS NOT NULL;
-- The copy is kept here, and not by whoever says that a message is gone, was
-- seen again or has another place: nobody can forget to.
-- +goose StatementBegin
CREATE TRIGGER messages_hidden AFTER UPDATE OF folder, uid_validity, uid, gone_at ON messages WHEN old.uid IS NOT NULL
BEGIN
    UPDATE deletions SET folder = new.folder, uid_validity = new.uid_validity,
        uid = CASE WHEN new.gone_at IS NULL THEN new.uid END
    WHERE message_id = new.id AND hides = 1;
END;
-- +goose StatementEnd

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

-- Originals that came back to a member when a move was undone, and that nobody
-- has seen upstream since. Were they gone, the member should have the copy.
CREATE TABLE undone_moves (
    member_id  INTEGER NOT NULL REFERENCES members (id),
    message_id INTEGER NOT NULL REFERENCES messages (id),
    copy_id    INTEGER NOT NULL REFERENCES messages (id),
    at         INTEGER NOT NULL,
    PRIMARY KEY (member_id, message_id)
) WITHOUT ROWID;
CREATE INDEX undone_moves_by_original ON undone_moves (message_id);
CREATE INDEX undone_moves_by_copy ON undone_moves (copy_id);

-- The lives of folders of which something is known here.
CREATE TABLE folder_lives (
    mailbox_id   INTEGER NOT NULL REFERENCES mailboxes (id),
    folder       TEXT    NOT NULL,
    uid_validity INTEGER NOT NULL,
    first_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,  -- when something was last put on record about it
    swept_at     INTEGER,           -- when all that is known of it was last held against the folder
    PRIMARY KEY (mailbox_id, folder, uid_validity)
) WITHOUT ROWID;
-- When it was last seen is not known of what is older than this table.
INSERT INTO folder_lives (mailbox_id, folder, uid_validity, first_at, last_at)
    SELECT mailbox_id, folder, uid_validity, min(first_seen), CAST(strftime('%s', 'now') AS INTEGER) * 1000
    FROM messages WHERE uid IS NOT NULL GROUP BY mailbox_id, folder, uid_validity;
INSERT INTO folder_lives (mailbox_id, folder, uid_validity, first_at, last_at)
    SELECT DISTINCT n.mailbox_id, k.folder, k.uid_validity, unixtime.now, unixtime.now
    FROM marks k JOIN members n ON n.id = k.member_id, (SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000 AS now) AS unixtime
    WHERE true ON CONFLICT DO NOTHING;

-- +goose Down
DROP TABLE folder_lives;
DROP TABLE undone_moves;
DROP TABLE moved_copies;
DROP TRIGGER messages_hidden;
DROP INDEX deletions_hidden;
ALTER TABLE deletions DROP COLUMN uid;
ALTER TABLE deletions DROP COLUMN uid_validity;
ALTER TABLE deletions DROP COLUMN folder;
ALTER TABLE deletions DROP COLUMN unseen;
ALTER TABLE deletions DROP COLUMN hides;
