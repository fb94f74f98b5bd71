/* SPDX-License-Identifier: MIT */
/* Where a ledger lies: FILE, readable by its owner alone, and FILE.d beside it for what is no row. */
#ifndef SPRAAY_LEDGER_PLACE_H
#define SPRAAY_LEDGER_PLACE_H

#include <stdbool.h>

#include "core/error.h"

#define SPRAAY_PLACE_WHY 256 /* bytes for a sentence */

typedef struct spraay_place {
    char *db;     /* the file */
    char *folder; /* FILE.d, 0700 */
    char *owners; /* FILE.d/owners: a file for every living process */
    char *spill;  /* FILE.d/spill: answers too large for memory */
    char *swap;   /* FILE.d/swap: locked while FILE is opened, or exchanged for another */
} spraay_place;

/* The names only; the disk is not touched. SPRAAY_NOMEM. */
SPRAAY_MUST_USE spraay_err spraay_place_name(spraay_place *p, const char *path);
void spraay_place_wipe(spraay_place *p);

/* Make what is missing: folders 0700, the file 0600; a file of ours that others could read is closed to
 * them. 'why' says what was wrong.
 * Returns SPRAAY_OK, SPRAAY_PERMISSION, SPRAAY_IO, or SPRAAY_UNSUPPORTED for a network file system, on
 * which locks do not hold. */
SPRAAY_MUST_USE spraay_err spraay_place_make(const spraay_place *p, char why[SPRAAY_PLACE_WHY]);

/* Is it a file in 'spill'? Nothing else that a record names is ever opened or removed. */
bool spraay_place_spilled(const spraay_place *p, const char *file);
/* It reaches the disk before what names it does. SPRAAY_IO. */
SPRAAY_MUST_USE spraay_err spraay_place_sync(const char *file);

/* While one is held, no file takes the name of the ledger; while an 'exclusive' one is, nobody opens or closes
 * it. Waits for the others. -1 when there is no lock to be had, which unguard accepts. */
int spraay_place_guard(const spraay_place *p, bool exclusive);
void spraay_place_unguard(int guard);

/* Is the file that is open as device and inode still the one of that name? */
bool spraay_place_same(const spraay_place *p, unsigned long long device, unsigned long long inode);
bool spraay_place_identity(const spraay_place *p, unsigned long long *device, unsigned long long *inode);

#endif
