/* A program that has ended at once. */
int main(void)
{
	return 0;
}
