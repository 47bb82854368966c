# Bash completion of smtpblockctl: commands, options, blocked addresses.
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0

# The command among the words before the cursor.
_smtpblockctl_command() {
	local i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--config) i=$((i + 1)) ;;
		-*) ;;
		*)
			echo "${COMP_WORDS[i]}"
			return
			;;
		esac
	done
}

_smtpblockctl_options() {
	local lists="--list --list6 --backend --banTime --ipv4Prefix --ipv6Prefix --ports --listSize
		--allow --allowFile"
	local parameters="$lists --trigger --replyPattern --threshold --window --terminate
		--terminate.delay --terminate.signal --terminate.killAfter --connect.reply --early
		--pressure --verify
		--terminate.reset --courierUser --blockBehindProxy --maxBlocks --maxBlocks.interval
		--dryRun --input --template --eventRuleset --statsName"
	case $1 in
	'') echo "--json --config --help --version" ;;
	list | flush) echo "--all $lists --help" ;;
	add | del | status | why) echo "$lists --help" ;;
	setup) echo "--apply --undo ${lists/--backend /} --help" ;;
	test) echo "$parameters --help" ;;
	replay) echo "--max --session --idle --top --svg $parameters --help" ;;
	*) echo "--help" ;;
	esac
}

# Values of an option, or operands.
_smtpblockctl_words() {
	case $2 in
	--backend) echo "recent nftables" ;;
	--trigger) echo "dnsbl reject connect auth relay protocol" ;;
	--verify) echo "child sender none" ;;
	--input) echo "courier address" ;;
	--terminate | --terminate.reset | --connect.reply | --early | --dryRun) echo "on off" ;;
	--terminate.signal) echo "TERM HUP KILL" ;;
	*)
		case $1 in
		'') echo "list add del flush status setup check test replay why" ;;
		setup) echo "recent nftables" ;;
		del | why) smtpblockctl list 2>/dev/null | awk '$3 ~ /^[0-9]+-/ { print $1 }' ;;
		esac
		;;
	esac
}

_smtpblockctl() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command
	command=$(_smtpblockctl_command)
	COMPREPLY=()
	case $command,$previous in
	*,--config | *,--allowFile | *,--svg)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_smtpblockctl_options "$command")" -- "$current")
	else
		mapfile -t COMPREPLY < <(compgen -W "$(_smtpblockctl_words "$command" "$previous")" \
			-- "$current")
	fi
	if [[ $command == test || $command == replay ]] && ((${#COMPREPLY[@]} == 0)); then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
}

complete -F _smtpblockctl smtpblockctl
