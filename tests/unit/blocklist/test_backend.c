/* Where a blocked address goes: one ops table a backend.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "blocklist/backend.h"

#include <string.h>

#include "tests/unit/support.h"

/* Each word of the parameter has its table, and the table that name. */
TEST(every_word_has_its_backend)
{
	const struct settings_word *w;
	const struct settings_row *rows;
	size_t count, i, found = 0;

	rows = settings_rows(&count);
	for (i = 0; i < count && strcmp(rows[i].name, "backend") != 0; i++)
		;
	for (w = rows[i].words; w->word; w++, found++)
		want_str(backend_ops(w->value)->name, w->word);
	want_int(found, 3);
}

TEST(every_table_is_whole)
{
	const struct backend_ops *all[] = { &backend_recent_ops,
					    &backend_nftables_ops,
					    &backend_null_ops };
	size_t i;

	for (i = 0; i < COUNT_OF(all); i++)
		want_int(all[i]->open && all[i]->add && all[i]->check && all[i]->remove &&
				 all[i]->flush && all[i]->foreach && all[i]->capacity &&
				 all[i]->advice && all[i]->free,
			 true);
}
