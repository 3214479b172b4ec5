# Completion of resi in zsh; written by: resi --install-completion zsh
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_resi() {
    local line
    local -a whole texts begun begun_texts
    for line in "${(@f)$("${words[1]/#\~/$HOME}" --complete zsh "${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX" 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        if [[ ${line%%$'\t'*} == *[=.,/] ]]; then
            begun+=("${line%%$'\t'*}")
            begun_texts+=("${line/$'\t'/  }")
        else
            whole+=("${line%%$'\t'*}")
            texts+=("${line/$'\t'/  }")
        fi
    done
    compadd -Q -V resi -d texts -a whole
    compadd -Q -V resi -S '' -d begun_texts -a begun
}
compdef _resi resi resi-merge
