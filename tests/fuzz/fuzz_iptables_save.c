/* The output of iptables-save(8), with comments that any admin's tool writes: any text.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "tool/read/iptables_save.h"

static void check_answer(const struct iptables_save *rules, const char *list, uint16_t port)
{
	struct iptables_save_answer answer;

	iptables_save_ask(rules, list, port, &answer);
	FUZZ_CHECK(answer.new_connections <= IPTABLES_MISSED);
	FUZZ_CHECK(answer.established <= IPTABLES_MISSED);
	FUZZ_CHECK(memchr(answer.before, '\0', sizeof(answer.before)));
	if (!answer.exists) {
		FUZZ_CHECK(answer.new_connections != IPTABLES_REACHED);
		return;
	}
	FUZZ_CHECK(memchr(answer.rule.text, '\0', sizeof(answer.rule.text)));
	FUZZ_CHECK(memchr(answer.rule.mask, '\0', sizeof(answer.rule.mask)));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size);
	struct iptables_save *rules;

	FUZZ_CHECK(iptables_save_parse(text, size, &rules) == 0);
	check_answer(rules, "spammer", 25);
	check_answer(rules, "other", 587);
	iptables_save_free(rules);
	free(text);
	return 0;
}
