/* A stand-in for submit in the latency bench: the process below courieresmtpd
 * that decides on rejects. Like courier's it exits when its parent has closed its
 * standard input.
 * Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <unistd.h>

int main(void)
{
	char buf[64];
	ssize_t n;

	do
		n = read(STDIN_FILENO, buf, sizeof(buf));
	while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0 ? 0 : 1;
}
