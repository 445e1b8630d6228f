#compdef iptviz
# zsh completion for iptviz: the program is asked what may stand at the cursor. Where it knows nothing, files are
# offered.
_iptviz() {
    local before="${(j: :)words[1,CURRENT-1]} $PREFIX" value told
    local -a values shown
    while IFS=$'\t' read -r value told; do
        values+=("$value")
        shown+=("$value${told:+  -- $told}")
    done < <(
        _IPTVIZ_COMPLETE=complete_zsh COMP_LINE="$before ${(j: :)words[CURRENT+1,-1]}" COMP_POINT=${#before} \
            ${(Q)~words[1]} </dev/null 2>/dev/null
    )
    if (( $#values )); then
        compadd -l -d shown -a values
    else
        _files
    fi
}
if [[ ${funcstack[1]} == _iptviz ]]; then
    _iptviz "$@"
else
    compdef _iptviz iptviz
fi
