-- +goose Up
-- An administrator's word on a message: that it may go, or that it has to.
ALTER TABLE messages ADD COLUMN approved_at INTEGER;
ALTER TABLE messages ADD COLUMN purge_reason TEXT;
-- When its release is looked at next; what is not held is not looked at.
ALTER TABLE messages ADD COLUMN look_at INTEGER;
UPDATE messages SET look_at = 0 WHERE held_since IS NOT NULL;
CREATE INDEX messages_looked_at ON messages (mailbox_id, folder, uid_validity, look_at)
    WHERE held_since IS NOT NULL AND gone_at IS NULL AND claimed_at IS NULL;
-- Whatever can make a message due has it looked at. It is noted here, and not by
-- whoever writes: nobody can forget to.
-- +goose StatementBegin
CREATE TRIGGER messages_look AFTER UPDATE OF held_since, pinned, approved_at, purge_reason, claimed_at, gone_at ON messages
WHEN new.held_since IS NOT NULL
BEGIN
    UPDATE messages SET look_at = 0 WHERE id = new.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER deletions_look AFTER INSERT ON deletions
BEGIN
    UPDATE messages SET look_at = 0 WHERE id = new.message_id AND held_since IS NOT NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER fetches_look AFTER INSERT ON fetches
BEGIN
    UPDATE messages SET look_at = 0 WHERE id = new.message_id AND held_since IS NOT NULL;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER fetches_left_alone AFTER UPDATE OF left_alone_at ON fetches
BEGIN
    UPDATE messages SET look_at = 0 WHERE id = new.message_id AND held_since IS NOT NULL;
END;
-- +goose StatementEnd

-- What is kept of a message's header to recognise it by, if anything (audit.headers).
ALTER TABLE messages ADD COLUMN sender TEXT;
ALTER TABLE messages ADD COLUMN subject TEXT;

-- How full the mailbox was when somebody last asked: whole percent.
ALTER TABLE mailboxes ADD COLUMN quota_used INTEGER;
ALTER TABLE mailboxes ADD COLUMN quota_at INTEGER;

-- The highest UIDNEXT that was seen in a folder's life. A lower one says that the
-- server was restored from its backup: from then on nothing in it is released.
ALTER TABLE folder_lives ADD COLUMN uid_next INTEGER;
ALTER TABLE folder_lives ADD COLUMN frozen_at INTEGER;

-- The record is of more than verdicts: releases, and what administrators did.
-- kind is 'verdict', 'released', 'bypass', 'approved', 'restored', 'pinned',
-- 'unpinned', 'purged' or 'frozen'; what is no verdict has none, and says why.
ALTER TABLE decisions ADD COLUMN kind TEXT NOT NULL DEFAULT 'verdict';
ALTER TABLE decisions ADD COLUMN why TEXT NOT NULL DEFAULT '';
CREATE INDEX decisions_by_age ON decisions (at);

-- Which copy of the ledger this is; the same is kept in a file beside it.
CREATE TABLE epoch (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation TEXT    NOT NULL,    -- random, new at every start
    counter    INTEGER NOT NULL,    -- grows while the server runs
    frozen_at  INTEGER,             -- nothing is released since
    frozen_why TEXT
);

-- +goose Down
DROP TABLE epoch;
DROP INDEX decisions_by_age;
ALTER TABLE decisions DROP COLUMN why;
ALTER TABLE decisions DROP COLUMN kind;
ALTER TABLE folder_lives DROP COLUMN frozen_at;
ALTER TABLE folder_lives DROP COLUMN uid_next;
ALTER TABLE mailboxes DROP COLUMN quota_at;
ALTER TABLE mailboxes DROP COLUMN quota_used;
DROP TRIGGER fetches_left_alone;
DROP TRIGGER fetches_look;
DROP TRIGGER deletions_look;
DROP TRIGGER messages_look;
DROP INDEX messages_looked_at;
ALTER TABLE messages DROP COLUMN subject;
ALTER TABLE messages DROP COLUMN sender;
ALTER TABLE messages DROP COLUMN look_at;
ALTER TABLE messages DROP COLUMN purge_reason;
ALTER TABLE messages DROP COLUMN approved_at;
