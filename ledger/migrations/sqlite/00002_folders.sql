-- +goose Up
-- What IMAP knows a message by is the name of its folder ("/" between levels,
-- "INBOX"), the folder's UIDVALIDITY and the UID. Such a row has no unique_id:
-- the rows of the two protocols are not joined.

ALTER TABLE messages ADD COLUMN internal_date INTEGER;
CREATE UNIQUE INDEX messages_by_uid ON messages (mailbox_id, folder, uid_validity, uid) WHERE uid IS NOT NULL;
-- Removals of which nobody knows yet whether they were carried out.
CREATE INDEX messages_unsettled ON messages (mailbox_id, folder) WHERE claimed_at IS NOT NULL AND gone_at IS NULL;

-- A member's own \Deleted on a message. It is never set upstream.
CREATE TABLE marks (
    member_id    INTEGER NOT NULL REFERENCES members (id),
    folder       TEXT    NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid          INTEGER NOT NULL,
    PRIMARY KEY (member_id, folder, uid_validity, uid)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE marks;
DROP INDEX messages_unsettled;
DROP INDEX messages_by_uid;
ALTER TABLE messages DROP COLUMN internal_date;
