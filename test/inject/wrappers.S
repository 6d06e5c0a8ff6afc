/*
 * wrappers.S
 *		The common part of the wrappers that build.sh makes, for x86-64.
 *
 * All registers that may hold an argument are saved around inject_point(), so
 * that the wrapper works for functions of any type.
 */
	.section .note.GNU-stack,"",@progbits
	.text
	.type	inject_enter,@function
	.cfi_sections .eh_frame
inject_enter:
	.cfi_startproc
	movq	inject_armed@GOTPCREL(%rip), %r10
	cmpb	$0, (%r10)
	je	1f
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	subq	$208, %rsp
	andq	$-16, %rsp
	movq	%rdi, 0(%rsp)
	movq	%rsi, 8(%rsp)
	movq	%rdx, 16(%rsp)
	movq	%rcx, 24(%rsp)
	movq	%r8, 32(%rsp)
	movq	%r9, 40(%rsp)
	movq	%rax, 48(%rsp)
	movq	%r11, 56(%rsp)
	movaps	%xmm0, 64(%rsp)
	movaps	%xmm1, 80(%rsp)
	movaps	%xmm2, 96(%rsp)
	movaps	%xmm3, 112(%rsp)
	movaps	%xmm4, 128(%rsp)
	movaps	%xmm5, 144(%rsp)
	movaps	%xmm6, 160(%rsp)
	movaps	%xmm7, 176(%rsp)
	movq	%r11, %rdi
	movq	%rsp, %rsi
	call	inject_point@PLT
	movl	%eax, %r10d
	movq	0(%rsp), %rdi
	movq	8(%rsp), %rsi
	movq	16(%rsp), %rdx
	movq	24(%rsp), %rcx
	movq	32(%rsp), %r8
	movq	40(%rsp), %r9
	movq	48(%rsp), %rax
	movq	56(%rsp), %r11
	movaps	64(%rsp), %xmm0
	movaps	80(%rsp), %xmm1
	movaps	96(%rsp), %xmm2
	movaps	112(%rsp), %xmm3
	movaps	128(%rsp), %xmm4
	movaps	144(%rsp), %xmm5
	movaps	160(%rsp), %xmm6
	movaps	176(%rsp), %xmm7
	leave
	.cfi_def_cfa %rsp, 8
	testl	%r10d, %r10d
	jne	2f
1:	jmp	*(%r11)
2:	movq	inject_value@GOTPCREL(%rip), %r10
	movq	(%r10), %rax
	ret
	.cfi_endproc

/* A wrapper: its InjectCall, as in inject.h, and its entry. */
	.macro	WRAPPER name, way, value, error
	.section .rodata
.Lname_\name:
	.asciz	"\name"
	.section .data.rel,"aw"
	.align	8
.Lcall_\name:
	.quad	__real_\name
	.quad	.Lname_\name
	.quad	\way
	.quad	\value
	.quad	\error
	.text
	.globl	__wrap_\name
	.hidden	__wrap_\name
	.type	__wrap_\name,@function
__wrap_\name:
	leaq	.Lcall_\name(%rip), %r11
	jmp	inject_enter
	.endm
