# bash completion for iptviz: the program is asked what may stand at the cursor. Where it knows nothing, files are
# offered.
_iptviz() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(
        _IPTVIZ_COMPLETE=complete_bash COMP_LINE=$COMP_LINE COMP_POINT=$COMP_POINT COMP_CUR=$2 \
            "${1/#\~/$HOME}" </dev/null 2>/dev/null
    )
}
complete -o default -F _iptviz iptviz
