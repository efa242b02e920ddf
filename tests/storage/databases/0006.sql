BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
CREATE TABLE answers (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	battle_id INTEGER NOT NULL, 
	side TEXT NOT NULL, 
	contender_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	fingerprint TEXT NOT NULL, 
	template TEXT NOT NULL, 
	rendered TEXT NOT NULL, 
	raw TEXT NOT NULL, 
	shown TEXT NOT NULL, 
	finish_reason TEXT NOT NULL, 
	tags JSON NOT NULL, 
	prompt_tokens INTEGER NOT NULL, 
	completion_tokens INTEGER NOT NULL, 
	seconds_to_first_token FLOAT NOT NULL, 
	seconds FLOAT NOT NULL, 
	seed BIGINT NOT NULL, 
	retries INTEGER NOT NULL, characters INTEGER, markup INTEGER, 
	CONSTRAINT uq_answers_battle_id_side UNIQUE (battle_id, side), 
	CONSTRAINT uq_answers_battle_id_id UNIQUE (battle_id, id), 
	CONSTRAINT ck_answers_side CHECK (side IN ('a', 'b')), 
	CONSTRAINT ck_answers_kind CHECK (kind IN ('base', 'instruct', 'tuned')), 
	CONSTRAINT ck_answers_finish_reason CHECK (finish_reason IN ('stop', 'length')), 
	CONSTRAINT fk_answers_battle_id_battles FOREIGN KEY(battle_id) REFERENCES battles (id), 
	CONSTRAINT fk_answers_contender_id_contenders FOREIGN KEY(contender_id) REFERENCES contenders (id)
);
INSERT INTO "answers" VALUES(1,1,'a',1,'base','f-wild','raw','rendered a text','raw a text','shown a text','stop','["run-on", "leak"]',3,5,0.25,1.5,4611686018427387904,1,12,0);
INSERT INTO "answers" VALUES(2,1,'b',2,'instruct','f-tame','raw','rendered a text','raw a text','shown a text','stop','["run-on", "leak"]',3,5,0.25,1.5,4611686018427387904,1,12,0);
CREATE TABLE battles (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	source_message_id BIGINT NOT NULL, 
	guild_id BIGINT, 
	channel_id BIGINT NOT NULL, 
	author_id BIGINT NOT NULL, 
	prompt TEXT NOT NULL, 
	conversation JSON NOT NULL, 
	state TEXT NOT NULL, 
	purpose TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	opened_at DATETIME, 
	closed_at DATETIME, 
	shown_message_id BIGINT, 
	failure TEXT, parent_id INTEGER REFERENCES battles (id), mirror_of_id INTEGER REFERENCES battles (id), closed_because TEXT CONSTRAINT ck_battles_closed_because CHECK (closed_because IN ('votes', 'time', 'author', 'retention', 'same_text')), revealed_at DATETIME, edited_at DATETIME, wiped_because TEXT CONSTRAINT ck_battles_wiped_because CHECK (wiped_because IN ('retention', 'deleted', 'erased')), texts_since DATETIME, prompt_key BIGINT, bucket SMALLINT, topic TEXT, language TEXT, simulated BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT ck_battles_state CHECK (state IN ('answering', 'open', 'closed', 'failed', 'cancelled')), 
	CONSTRAINT ck_battles_purpose CHECK (purpose IN ('live', 'mirror', 'control')), 
	CONSTRAINT uq_battles_source_message_id UNIQUE (source_message_id), 
	CONSTRAINT uq_battles_shown_message_id UNIQUE (shown_message_id)
);
INSERT INTO "battles" VALUES(1,1000000000000000001,7,8,9,'and you?','{"bot_name": "Twofold", "turns": [{"author_id": "1152921504606846977", "name": "Member 1", "text": "hello", "is_bot": false, "message_id": "1"}, {"author_id": "1152921504606846978", "name": "Member 2", "text": "and you?", "is_bot": false, "message_id": "2"}]}','open','live','2026-01-01 00:00:00.000000','2026-01-01 00:00:01.000000',NULL,501,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,4709294645081423026,178,NULL,NULL,0);
INSERT INTO "battles" VALUES(2,1000000000000000002,7,8,9,'','{"bot_name": "Twofold", "turns": [{"author_id": "1152921504606846977", "name": "", "text": "", "is_bot": false, "message_id": "1"}]}','failed','live','2026-01-01 00:00:00.000000',NULL,'2026-01-01 00:00:04.000000',NULL,'EngineTimeout',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "battles" VALUES(3,1000000000000000003,NULL,8,9,'late','{"bot_name": "Twofold", "turns": [{"author_id": "1152921504606846977", "name": "Member 1", "text": "late", "is_bot": false, "message_id": "1"}]}','answering','live','2026-01-01 00:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,7893787902840505500,178,NULL,NULL,0);
INSERT INTO "battles" VALUES(4,1000000000000000004,7,8,9,'and you?','{"bot_name": "Twofold", "turns": [{"author_id": "1152921504606846977", "name": "Member 1", "text": "hello", "is_bot": false, "message_id": "1"}, {"author_id": "1152921504606846978", "name": "Member 2", "text": "and you?", "is_bot": false, "message_id": "2"}]}','answering','live','2026-01-01 00:00:00.000000',NULL,NULL,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,NULL,4709294645081423026,178,NULL,NULL,0);
INSERT INTO "battles" VALUES(5,1000000000000000005,7,8,1152921504606846977,'something else','{"bot_name": "Twofold", "continuing": "winner", "turns": [{"author_id": "1152921504606846978", "name": "Member 2", "text": "something else", "is_bot": false, "message_id": "20"}]}','closed','live','2026-01-02 00:00:00.000000','2026-01-02 00:00:01.000000','2026-01-02 00:00:04.000000',505,NULL,NULL,NULL,'votes','2026-01-02 00:00:05.000000',NULL,NULL,NULL,1763604518425275729,81,NULL,NULL,0);
INSERT INTO "battles" VALUES(6,1000000000000000006,7,8,1152921504606846977,'why?','{"bot_name": "Twofold", "continuing": "winner", "turns": [{"author_id": "99", "name": "Twofold", "text": "shown a text", "is_bot": true, "message_id": "501"}, {"author_id": "1152921504606846977", "name": "Member 1", "text": "why?", "is_bot": false, "message_id": "21"}]}','closed','live','2026-01-02 00:00:00.000000','2026-01-02 00:00:01.000000','2026-01-02 00:00:04.000000',506,NULL,NULL,NULL,'votes','2026-01-02 00:00:05.000000',NULL,NULL,NULL,3020723091723165041,178,NULL,NULL,0);
INSERT INTO "battles" VALUES(7,1000000000000000007,7,8,1152921504606846977,'and then?','{"bot_name": "Twofold", "continuing": "winner", "turns": [{"author_id": "1152921504606846978", "name": "Member 2", "text": "something else", "is_bot": false, "message_id": "20"}, {"author_id": "1152921504606846977", "name": "Member 1", "text": "why?", "is_bot": false, "message_id": "21"}, {"author_id": "1152921504606846977", "name": "Member 1", "text": "and then?", "is_bot": false, "message_id": "22"}]}','open','live','2026-01-02 00:00:00.000000','2026-01-02 00:00:01.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,6410477896939863953,NULL,NULL,NULL,0);
INSERT INTO "battles" VALUES(8,1000000000000000008,7,8,1152921504606846977,'why?','{"bot_name": "Twofold", "continuing": "winner", "turns": [{"author_id": "99", "name": "Twofold", "text": "shown a text", "is_bot": true, "message_id": "501"}, {"author_id": "1152921504606846977", "name": "Member 1", "text": "why?", "is_bot": false, "message_id": "21"}]}','open','mirror','2026-01-02 00:00:00.000000','2026-01-02 00:00:01.000000',NULL,NULL,NULL,NULL,6,NULL,NULL,NULL,NULL,'2026-01-02 00:00:00.000000',3020723091723165041,178,NULL,NULL,0);
INSERT INTO "battles" VALUES(9,1000000000000000009,7,8,0,'','{"bot_name": "", "continuing": "winner", "turns": [{"author_id": "0", "name": "", "text": "", "is_bot": false, "message_id": null}]}','closed','live','2026-01-02 00:00:00.000000','2026-01-02 00:00:01.000000','2026-01-02 00:00:04.000000',509,NULL,NULL,NULL,'votes','2026-01-02 00:00:05.000000',NULL,'retention',NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "battles" VALUES(10,1000000000000000010,NULL,8,1152921504606846977,'alone','{"bot_name": "Twofold", "continuing": "winner", "turns": [{"author_id": "1152921504606846977", "name": "Member 1", "text": "alone", "is_bot": false, "message_id": null}]}','closed','live','2026-01-02 00:00:00.000000','2026-01-02 00:00:01.000000','2026-01-02 00:00:04.000000',NULL,NULL,NULL,NULL,'votes','2026-01-02 00:00:05.000000',NULL,NULL,NULL,429206743819991297,1,NULL,NULL,0);
INSERT INTO "battles" VALUES(11,1000000000000000011,NULL,8,1152921504606846977,'ALONE ','{"bot_name": "Twofold", "continuing": "winner", "turns": [{"author_id": "1152921504606846978", "name": "Member 2", "text": "ALONE ", "is_bot": false, "message_id": null}]}','closed','live','2026-01-02 00:00:00.000000','2026-01-02 00:00:01.000000','2026-01-02 00:00:04.000000',NULL,NULL,NULL,NULL,'votes','2026-01-02 00:00:05.000000',NULL,NULL,NULL,429206743819991297,1,NULL,NULL,0);
CREATE TABLE contenders (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	slug TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	model TEXT NOT NULL, 
	revision TEXT NOT NULL, 
	template TEXT, 
	sampling JSON NOT NULL, 
	base_url TEXT, 
	fingerprint TEXT NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT ck_contenders_kind CHECK (kind IN ('base', 'instruct', 'tuned')), 
	CONSTRAINT uq_contenders_slug UNIQUE (slug)
);
INSERT INTO "contenders" VALUES(1,'wild','base','wheel:gemma==1','',NULL,'{"temperature": 0.8, "top_p": 0.95, "top_k": 50, "max_tokens": 128}',NULL,'f-wild','2026-01-01 00:00:00.000000');
INSERT INTO "contenders" VALUES(2,'tame','instruct','wheel:smol==1','',NULL,'{"temperature": 0.8, "top_p": 0.95, "top_k": 50, "max_tokens": 128}',NULL,'f-tame','2026-01-01 00:00:00.000000');
CREATE TABLE digests (
	channel_id BIGINT NOT NULL, 
	week TEXT NOT NULL, 
	message_id BIGINT, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_digests PRIMARY KEY (channel_id, week)
);
CREATE TABLE exported (
	export_id INTEGER NOT NULL, 
	battle_id INTEGER NOT NULL, digest BIGINT, 
	CONSTRAINT pk_exported PRIMARY KEY (export_id, battle_id), 
	CONSTRAINT fk_exported_export_id_exports FOREIGN KEY(export_id) REFERENCES exports (id), 
	CONSTRAINT fk_exported_battle_id_battles FOREIGN KEY(battle_id) REFERENCES battles (id)
);
INSERT INTO "exported" VALUES(2,1,NULL);
CREATE TABLE exports (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	created_at DATETIME NOT NULL, 
	format TEXT NOT NULL, 
	manifest JSON NOT NULL, 
	sha256 TEXT NOT NULL
, purpose TEXT, dataset TEXT);
INSERT INTO "exports" VALUES(1,'2026-01-01 00:00:07.000000','dpo','{"rows": 1}','abababababababababababababababababababababababababababababababab',NULL,NULL);
INSERT INTO "exports" VALUES(2,'2026-01-02 00:00:07.000000','dpo','{"rows": 1}','cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd','train',NULL);
CREATE TABLE guilds (
	id BIGINT NOT NULL, 
	settings JSON NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_guilds PRIMARY KEY (id)
);
INSERT INTO "guilds" VALUES(7,'{"channels": [123]}','2026-01-01 00:00:05.000000');
CREATE TABLE heard (
	shard_id INTEGER NOT NULL, 
	until DATETIME NOT NULL, 
	CONSTRAINT pk_heard PRIMARY KEY (shard_id)
);
INSERT INTO "heard" VALUES(0,'2026-01-02 00:00:06.000000');
CREATE TABLE imports (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	file TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	licence TEXT NOT NULL, 
	battles INTEGER NOT NULL, 
	votes INTEGER NOT NULL, 
	skipped INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT uq_imports_sha256 UNIQUE (sha256)
);
CREATE TABLE members (
	member_id BIGINT NOT NULL, 
	guild_id BIGINT NOT NULL, 
	consent TEXT DEFAULT 'none' NOT NULL, 
	consent_version INTEGER DEFAULT '0' NOT NULL, 
	updated_at DATETIME NOT NULL, simulated BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_members PRIMARY KEY (member_id, guild_id), 
	CONSTRAINT ck_members_consent CHECK (consent IN ('none', 'evaluate', 'train', 'publish'))
);
INSERT INTO "members" VALUES(5,0,'train',1,'2026-01-01 00:00:06.000000',0);
CREATE TABLE recounts (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL
);
CREATE TABLE remarks (
	battle_id INTEGER NOT NULL, 
	voter_id BIGINT NOT NULL, 
	reason TEXT, 
	comment TEXT, 
	edited_answer_id INTEGER, 
	edit TEXT, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_remarks PRIMARY KEY (battle_id, voter_id), 
	CONSTRAINT ck_remarks_reason CHECK (reason IN ('more_correct', 'more_helpful', 'funnier', 'shorter', 'safer', 'other')), 
	CONSTRAINT ck_remarks_edit CHECK ((edited_answer_id IS NULL) = (edit IS NULL)), 
	CONSTRAINT fk_remarks_battle_id_voter_id_votes FOREIGN KEY(battle_id, voter_id) REFERENCES votes (battle_id, voter_id), 
	CONSTRAINT fk_remarks_battle_id_edited_answer_id_answers FOREIGN KEY(battle_id, edited_answer_id) REFERENCES answers (battle_id, id)
);
INSERT INTO "remarks" VALUES(1,6,'funnier','because',2,'an edit','2026-01-02 00:00:06.000000');
CREATE TABLE setting_changes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	guild_id BIGINT NOT NULL, 
	member_id BIGINT NOT NULL, 
	setting TEXT NOT NULL, 
	"before" JSON, 
	"after" JSON, 
	at DATETIME NOT NULL
);
INSERT INTO "setting_changes" VALUES(1,7,5,'template',NULL,'"raw"','2026-01-02 00:00:06.000000');
CREATE TABLE sightings (
	battle_id INTEGER NOT NULL, 
	member_id BIGINT NOT NULL, 
	swapped BOOLEAN DEFAULT 0 NOT NULL, 
	shown_at DATETIME, 
	full_text_at DATETIME, 
	told_at DATETIME, 
	CONSTRAINT pk_sightings PRIMARY KEY (battle_id, member_id), 
	CONSTRAINT fk_sightings_battle_id_battles FOREIGN KEY(battle_id) REFERENCES battles (id)
);
INSERT INTO "sightings" VALUES(1,5,0,NULL,NULL,'2026-01-01 00:00:02.000000');
INSERT INTO "sightings" VALUES(1,6,0,NULL,NULL,'2026-01-01 00:00:02.000000');
CREATE TABLE simulations (
	seed BIGINT NOT NULL, 
	guild_id BIGINT NOT NULL, 
	last_id BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_simulations PRIMARY KEY (seed)
);
CREATE TABLE spending (
	day TEXT NOT NULL, 
	contender TEXT NOT NULL, 
	prompt_tokens BIGINT NOT NULL, 
	completion_tokens BIGINT NOT NULL, 
	micros BIGINT NOT NULL, 
	CONSTRAINT pk_spending PRIMARY KEY (day, contender)
);
INSERT INTO "spending" VALUES('2026-01-02','tame',30,50,1234);
CREATE TABLE turns (
	id INTEGER NOT NULL, 
	battle_id INTEGER NOT NULL, 
	author_id BIGINT NOT NULL, 
	message_id BIGINT, 
	CONSTRAINT pk_turns PRIMARY KEY (id), 
	CONSTRAINT fk_turns_battle_id_battles FOREIGN KEY(battle_id) REFERENCES battles (id)
);
INSERT INTO "turns" VALUES(1,1,1152921504606846977,1);
INSERT INTO "turns" VALUES(2,1,1152921504606846978,2);
INSERT INTO "turns" VALUES(3,2,1152921504606846977,1);
INSERT INTO "turns" VALUES(4,3,1152921504606846977,1);
INSERT INTO "turns" VALUES(5,4,1152921504606846977,1);
INSERT INTO "turns" VALUES(6,4,1152921504606846978,2);
INSERT INTO "turns" VALUES(7,5,1152921504606846978,20);
INSERT INTO "turns" VALUES(8,6,1152921504606846977,21);
INSERT INTO "turns" VALUES(9,6,1152921504606846977,1);
INSERT INTO "turns" VALUES(10,6,1152921504606846978,2);
INSERT INTO "turns" VALUES(11,7,1152921504606846978,20);
INSERT INTO "turns" VALUES(12,7,1152921504606846977,21);
INSERT INTO "turns" VALUES(13,7,1152921504606846977,22);
INSERT INTO "turns" VALUES(14,8,1152921504606846977,21);
INSERT INTO "turns" VALUES(15,10,1152921504606846977,NULL);
INSERT INTO "turns" VALUES(16,11,1152921504606846978,NULL);
CREATE TABLE vote_events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	battle_id INTEGER NOT NULL, 
	voter_id BIGINT NOT NULL, 
	event TEXT NOT NULL, 
	outcome TEXT, 
	winner_answer_id INTEGER, 
	blind BOOLEAN NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT ck_vote_events_event CHECK (event IN ('cast', 'change', 'withdraw')), 
	CONSTRAINT ck_vote_events_outcome CHECK (outcome IN ('win', 'tie', 'both_bad')), 
	CONSTRAINT ck_vote_events_withdrawn CHECK ((event = 'withdraw') = (outcome IS NULL)), 
	CONSTRAINT ck_vote_events_winner CHECK ((coalesce(outcome, '') = 'win') = (winner_answer_id IS NOT NULL)), 
	CONSTRAINT fk_vote_events_battle_id_winner_answer_id_answers FOREIGN KEY(battle_id, winner_answer_id) REFERENCES answers (battle_id, id), 
	CONSTRAINT fk_vote_events_battle_id_battles FOREIGN KEY(battle_id) REFERENCES battles (id)
);
INSERT INTO "vote_events" VALUES(1,1,5,'cast','win',1,1,'2026-01-01 00:00:02.000000');
INSERT INTO "vote_events" VALUES(2,1,6,'cast','win',2,1,'2026-01-01 00:00:02.000000');
INSERT INTO "vote_events" VALUES(3,1,5,'change','tie',NULL,0,'2026-01-01 00:00:03.000000');
CREATE TABLE votes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	battle_id INTEGER NOT NULL, 
	voter_id BIGINT NOT NULL, 
	outcome TEXT NOT NULL, 
	winner_answer_id INTEGER, 
	guessed_base_answer_id INTEGER, 
	blind BOOLEAN NOT NULL, 
	by_author BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, guessed_at DATETIME, seconds FLOAT, full_text BOOLEAN DEFAULT 0 NOT NULL, votes_before INTEGER DEFAULT '0' NOT NULL, swapped BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT uq_votes_battle_id_voter_id UNIQUE (battle_id, voter_id), 
	CONSTRAINT ck_votes_outcome CHECK (outcome IN ('win', 'tie', 'both_bad')), 
	CONSTRAINT ck_votes_winner CHECK ((coalesce(outcome, '') = 'win') = (winner_answer_id IS NOT NULL)), 
	CONSTRAINT fk_votes_battle_id_winner_answer_id_answers FOREIGN KEY(battle_id, winner_answer_id) REFERENCES answers (battle_id, id), 
	CONSTRAINT fk_votes_battle_id_guessed_base_answer_id_answers FOREIGN KEY(battle_id, guessed_base_answer_id) REFERENCES answers (battle_id, id), 
	CONSTRAINT fk_votes_battle_id_battles FOREIGN KEY(battle_id) REFERENCES battles (id)
);
INSERT INTO "votes" VALUES(1,1,5,'tie',NULL,NULL,0,0,'2026-01-01 00:00:02.000000','2026-01-01 00:00:03.000000',NULL,NULL,0,0,0);
INSERT INTO "votes" VALUES(2,1,6,'win',2,NULL,1,0,'2026-01-01 00:00:02.000000','2026-01-01 00:00:02.000000',NULL,NULL,0,0,0);
CREATE INDEX ix_battles_author_id ON battles (author_id);
CREATE INDEX ix_answers_contender_id ON answers (contender_id);
CREATE INDEX ix_votes_voter_id ON votes (voter_id);
CREATE INDEX ix_vote_events_battle_id ON vote_events (battle_id);
CREATE INDEX ix_vote_events_voter_id ON vote_events (voter_id);
CREATE INDEX ix_battles_parent_id ON battles (parent_id);
CREATE INDEX ix_battles_mirror_of_id ON battles (mirror_of_id);
CREATE INDEX ix_battles_state_revealed_at ON battles (state, revealed_at);
CREATE INDEX ix_turns_battle_id ON turns (battle_id);
CREATE INDEX ix_turns_author_id ON turns (author_id);
CREATE INDEX ix_turns_message_id ON turns (message_id);
CREATE INDEX ix_remarks_voter_id ON remarks (voter_id);
CREATE INDEX ix_sightings_member_id ON sightings (member_id);
CREATE INDEX ix_setting_changes_guild_id ON setting_changes (guild_id);
CREATE INDEX ix_exported_battle_id ON exported (battle_id);
CREATE INDEX ix_battles_prompt_key_bucket ON battles (prompt_key, bucket);
CREATE INDEX ix_battles_ranked ON battles (simulated, state, id, closed_at, guild_id, channel_id, purpose, topic, language, mirror_of_id, parent_id);
CREATE INDEX ix_answers_ranked ON answers (battle_id, side, id, contender_id, kind, template, characters, markup, seconds);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('contenders',2);
INSERT INTO "sqlite_sequence" VALUES('battles',11);
INSERT INTO "sqlite_sequence" VALUES('answers',2);
INSERT INTO "sqlite_sequence" VALUES('votes',3);
INSERT INTO "sqlite_sequence" VALUES('vote_events',3);
INSERT INTO "sqlite_sequence" VALUES('exports',2);
INSERT INTO "sqlite_sequence" VALUES('setting_changes',1);
COMMIT;
