import { useData } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { onMounted, watchPostEffect } from 'vue';
import './style.css';

export default {
  extends: DefaultTheme,
  setup() {
    const { frontmatter } = useData<{ layout?: string }>();
    // The default theme gives every page a main landmark but the home page.
    onMounted(() =>
      watchPostEffect(() => {
        const content = document.querySelector('#VPContent');
        if (frontmatter.value.layout === 'home') content?.setAttribute('role', 'main');
        else content?.removeAttribute('role');
      }),
    );
  },
};
