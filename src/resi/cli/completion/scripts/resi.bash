# Completion of resi in bash; written by: resi --install-completion bash
_resi() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\t'*}")
    done < <("${1/#\~/$HOME}" --complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=.,/] ]]; then
        compopt -o nospace 2>/dev/null
        if [[ ${COMPREPLY[0]} == *?/ && -d ${COMPREPLY[0]} ]]; then
            # A folder to which bash adds the slash itself leaves an open quotation mark open.
            COMPREPLY[0]=${COMPREPLY[0]%/}
            compopt -o filenames -o noquote 2>/dev/null
        fi
    fi
}
complete -F _resi resi resi-merge
