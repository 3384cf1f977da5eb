-- +goose Up
-- Times are milliseconds since 1970, UTC. protocol is 'pop3' or 'imap'.

CREATE TABLE mailboxes (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    watched_since INTEGER NOT NULL
);

-- Somebody who is told apart; the name '' is the mailbox's anonymous member.
CREATE TABLE members (
    id         INTEGER PRIMARY KEY,
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes (id),
    name       TEXT    NOT NULL,
    UNIQUE (mailbox_id, name)
);

CREATE TABLE uses (
    member_id INTEGER NOT NULL REFERENCES members (id),
    protocol  TEXT    NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    proof     TEXT    NOT NULL,
    address   TEXT    NOT NULL,
    client    TEXT    NOT NULL,
    PRIMARY KEY (member_id, protocol)
) WITHOUT ROWID;

-- The members that the configuration listed when the mailbox was last opened.
-- One that was taken out keeps its row: nothing is released for a while after.
CREATE TABLE configured_members (
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes (id),
    name       TEXT    NOT NULL,
    removed_at INTEGER,
    PRIMARY KEY (mailbox_id, name)
) WITHOUT ROWID;

-- One copy of a message. What is not known yet is NULL and is filled in later.
-- copy counts messages that POP3 cannot tell apart (same unique-id and size).
CREATE TABLE messages (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    mailbox_id   INTEGER NOT NULL REFERENCES mailboxes (id),
    unique_id    TEXT,
    copy         INTEGER NOT NULL DEFAULT 1,
    folder       TEXT,
    uid_validity INTEGER,
    uid          INTEGER,
    size         INTEGER,
    fingerprint  BLOB,
    first_seen   INTEGER NOT NULL,
    held_since   INTEGER,           -- the first deletion that waits to be released
    pinned       INTEGER NOT NULL DEFAULT 0,
    unless_seen  INTEGER,           -- when the rule's `unless` last held
    claimed_at   INTEGER,           -- a removal was (or may have been) sent upstream
    claimed_how  TEXT,              -- 'released', 'allowed' or 'observed'
    gone_at      INTEGER,           -- no longer listed upstream
    gone_how     TEXT               -- as claimed_how, or 'bypass'
);
CREATE UNIQUE INDEX messages_by_unique_id ON messages (mailbox_id, unique_id, size, copy) WHERE unique_id IS NOT NULL;
CREATE INDEX messages_by_fingerprint ON messages (mailbox_id, fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX messages_held ON messages (mailbox_id, held_since) WHERE held_since IS NOT NULL AND gone_at IS NULL;

CREATE TABLE fetches (
    message_id    INTEGER NOT NULL REFERENCES messages (id),
    member_id     INTEGER NOT NULL REFERENCES members (id),
    protocol      TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    left_alone_at INTEGER,          -- a later session listed it, left it alone and ended with QUIT
    PRIMARY KEY (message_id, member_id, protocol)
) WITHOUT ROWID;
CREATE INDEX fetches_by_member ON fetches (member_id, protocol);

-- What a member has deleted: it is out of that member's view for the protocol.
CREATE TABLE deletions (
    message_id INTEGER NOT NULL REFERENCES messages (id),
    member_id  INTEGER NOT NULL REFERENCES members (id),
    protocol   TEXT    NOT NULL,
    op         TEXT    NOT NULL,
    verdict    TEXT    NOT NULL,    -- 'defer', or 'allow'
    rule       TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (message_id, member_id, protocol)
) WITHOUT ROWID;
CREATE INDEX deletions_by_member ON deletions (member_id, protocol);

-- Every verdict with its facts, as it was given.
CREATE TABLE decisions (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    mailbox_id INTEGER NOT NULL REFERENCES mailboxes (id),
    message_id INTEGER REFERENCES messages (id),
    member     TEXT    NOT NULL,
    verdict    TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,    -- what was done: allow, refuse, defer, accept, observe
    rule       TEXT    NOT NULL,
    facts      TEXT    NOT NULL     -- JSON
);
CREATE INDEX decisions_by_message ON decisions (message_id);
CREATE INDEX decisions_by_time ON decisions (mailbox_id, at);

-- A row that is written to find out whether the file can be written.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
);

-- +goose Down
DROP TABLE heartbeat;
DROP TABLE decisions;
DROP TABLE deletions;
DROP TABLE fetches;
DROP TABLE messages;
DROP TABLE configured_members;
DROP TABLE uses;
DROP TABLE members;
DROP TABLE mailboxes;
