/* SPDX-License-Identifier: MIT */
/* The tables of a durable ledger, and how an older file becomes one of today. */
#ifndef SPRAAY_LEDGER_SCHEMA_H
#define SPRAAY_LEDGER_SCHEMA_H

#include <sqlite3.h>

#include "core/error.h"

/* Bring a database that is open to today's schema, in one transaction.
 *
 * Out: found   the version that was in the file
 * Returns SPRAAY_OK, SPRAAY_VERSION (a later release wrote it), SPRAAY_TYPE (a database of something
 * else), or SPRAAY_IO: then sqlite3_errmsg says why. */
SPRAAY_MUST_USE spraay_err spraay_schema_upgrade(sqlite3 *db, int *found);

/* Is it a ledger, or nothing yet? Only reads. As above, but for SPRAAY_OK of an older one. */
SPRAAY_MUST_USE spraay_err spraay_schema_check(sqlite3 *db);

/* What every connection sets, writers and readers. SPRAAY_IO. */
SPRAAY_MUST_USE spraay_err spraay_schema_prepare(sqlite3 *db);

#endif
