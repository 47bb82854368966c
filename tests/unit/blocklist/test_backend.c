/* Where a blocked address goes: one ops table a backend.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

#include <string.h>

#include "tests/unit/support.h"

/* Each word of the parameter has its table, and the table that name. */
static void every_word_has_its_backend(void **state)
{
	const struct settings_word *w;
	const struct settings_row *rows;
	size_t count, i, found = 0;

	(void)state;
	rows = settings_rows(&count);
	for (i = 0; i < count && strcmp(rows[i].name, "backend") != 0; i++)
		;
	for (w = rows[i].words; w->word; w++, found++)
		want_str(backend_ops(w->value)->name, w->word);
	want_int(found, 3);
}

static void every_table_is_whole(void **state)
{
	const struct backend_ops *all[] = { &backend_recent_ops,
					    &backend_nftables_ops,
					    &backend_null_ops };
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(all); i++)
		want_int(all[i]->open && all[i]->add && all[i]->check && all[i]->remove &&
				 all[i]->flush && all[i]->foreach && all[i]->capacity &&
				 all[i]->advice && all[i]->free,
			 true);
}

/* Writing to xt_recent never blocks; a transaction of nf_tables waits for its turn. */
static void only_nftables_waits(void **state)
{
	(void)state;
	want_int(backend_recent_ops.may_block, false);
	want_int(backend_null_ops.may_block, false);
	want_int(backend_nftables_ops.may_block, true);
}

int main(void)
{
	struct suite *suite = suite_new();

	SUITE_TEST(suite, every_word_has_its_backend);
	SUITE_TEST(suite, every_table_is_whole);
	SUITE_TEST(suite, only_nftables_waits);
	return suite_run(suite, "backend");
}
